"""Entropy coding: integer tables, the range coder, exact integer networks, and the differentiable likelihood."""
