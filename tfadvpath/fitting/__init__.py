"""One call for a classifier of any kind: checks, training of its generators, a verdict, explanations."""
