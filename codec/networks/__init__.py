"""The networks, one file a model family."""
