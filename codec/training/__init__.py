"""Training: losses, the loop, checkpoints, export."""
