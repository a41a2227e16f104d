"""Limits for decoding strangers' files, which may declare any size; and of the threads of a process.

`lpcodec decode --untrusted` and `lpcodec verify --untrusted` use the former. In Python:
`lpcodec.decode(data, max_pixels=UNTRUSTED_PIXELS, max_memory=UNTRUSTED_MEMORY)`.
"""

UNTRUSTED_PIXELS = 40_000_000
"""More than most cameras have; about ten seconds of decoding on one core."""
UNTRUSTED_MEMORY = 2_000_000_000
"""Bytes of memory that decoding may take by its upper bound, libraries and weights included (docs/reliability.md)."""
MOST_THREADS = 1024
"""More than this may be asked of torch by mistake only: a hundred thousand crash it."""
