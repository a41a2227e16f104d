"""The hyperprior family (`default`, `fast`, `hq`): one network class for every rate."""
