"""Results on their way into an archive (PACS)."""
