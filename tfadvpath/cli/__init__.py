"""The command line, one file a verb: it parses, calls one public function, and prints."""
