"""What is measured of a coded picture, and what is made of many: distortion, points, means, curves, BD-rates."""
