"""The model families, one folder each: network, codec and training side by side."""
