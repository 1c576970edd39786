"""The command line, one file a verb. What it does stands elsewhere."""
