"""The evaluation's report: tables, curves, examples and one page."""
