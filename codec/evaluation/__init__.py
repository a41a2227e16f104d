"""Evaluation: measures, peers and curves."""
