"""Limits: of the size that an untrusted file may declare, and of the number of threads.

`lpcodec decode --untrusted` and `lpcodec verify --untrusted` use those of the size. In Python:
`lpcodec.decode(data, max_pixels=UNTRUSTED_PIXELS, max_memory=UNTRUSTED_MEMORY)`.
"""

UNTRUSTED_PIXELS = 40_000_000
"""More than most cameras have; about ten seconds of decoding on one core."""
UNTRUSTED_MEMORY = 2_000_000_000
"""Bytes of memory that decoding may take by its upper bound, libraries and weights included (docs/reliability.md)."""
MOST_THREADS = 1024
"""Nobody needs more, and torch crashes if it is asked for a hundred thousand."""
