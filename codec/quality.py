"""The quality: one number from 0 to 100 for people, 16 bits in files and networks."""

HIGHEST = 65535


def quality_to_16_bit(quality: float) -> int:
    """Quality 0..100 -> the 0..65535 that files hold; values outside are clamped."""
    return round(min(max(quality, 0.0), 100.0) / 100 * HIGHEST)
