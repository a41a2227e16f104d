"""Limits for who decodes strangers' files: they declare any size that they like.

`lpcodec decode --untrusted` and `lpcodec verify --untrusted` use them. In Python:
`lpcodec.decode(data, max_pixels=UNTRUSTED_PIXELS, max_memory=UNTRUSTED_MEMORY)`.
"""

UNTRUSTED_PIXELS = 40_000_000
"""More than most cameras have; about ten seconds of decoding on one core."""
UNTRUSTED_MEMORY = 2_000_000_000
"""Bytes that decoding may take by its upper bound (docs/reliability.md), the libraries and weights counted in."""
