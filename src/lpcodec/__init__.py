"""lpcodec: a learned image codec.

>>> import lpcodec
>>> data = lpcodec.encode("photo.png", bpp=0.15)      # doctest: +SKIP
>>> lpcodec.decode(data).save("photo-decoded.png")    # doctest: +SKIP

The names below are resolved on first use, so that `import lpcodec` costs nothing and torch is loaded only when a
picture is coded.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = [
    "DecodeResult", "EncodeResult", "LpcodecError", "PictureWarning", "UpscaleResult", "__version__", "decode",
    "decode_report", "encode", "encode_report", "info", "upscale", "upscale_report", "verify",
]  # fmt: skip

if TYPE_CHECKING:
    from lpcodec.codec.api import (
        DecodeResult,
        EncodeResult,
        UpscaleResult,
        decode,
        decode_report,
        encode,
        encode_report,
        info,
        upscale,
        upscale_report,
        verify,
    )
    from lpcodec.codec.errors import LpcodecError, PictureWarning


def __getattr__(name: str) -> Any:
    if name in ("LpcodecError", "PictureWarning"):
        from lpcodec.codec import errors

        return getattr(errors, name)
    if name in __all__:
        from lpcodec.codec import api

        return getattr(api, name)
    raise AttributeError(f"module 'lpcodec' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
