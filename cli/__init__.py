"""The command line: words, options and progress; no other logic."""
