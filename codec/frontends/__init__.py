"""Front-ends: a picture (or its folded form) split into bands, and bands merged again."""
