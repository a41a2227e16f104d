"""Training: plans, the loop, checkpoints, export, and what the losses of several families share."""
