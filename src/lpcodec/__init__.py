"""lpcodec: a learned image codec.

>>> import lpcodec
>>> data = lpcodec.encode("photo.png", bpp=0.15)      # doctest: +SKIP
>>> lpcodec.decode(data).save("photo-decoded.png")    # doctest: +SKIP

The names below are resolved on first use, so that `import lpcodec` costs nothing and torch is loaded only when a
picture is coded.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["LpcodecError", "__version__", "decode", "encode", "info", "verify"]

if TYPE_CHECKING:
    from lpcodec.codec.api import decode, encode, info, verify
    from lpcodec.codec.errors import LpcodecError


def __getattr__(name: str) -> Any:
    if name == "LpcodecError":
        from lpcodec.codec.errors import LpcodecError

        return LpcodecError
    if name in __all__:
        from lpcodec.codec import api

        return getattr(api, name)
    raise AttributeError(f"module 'lpcodec' has no attribute {name!r}")
