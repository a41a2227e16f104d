"""Formats that Pillow needs another package for: it is registered if it is installed, else advice names it."""

import functools
import importlib
from collections.abc import Callable
from typing import Any, NamedTuple


class _Plugin(NamedTuple):
    """A format: its name, its endings, whether a file of this beginning is one, the package for it, the package's
    module, and how the module is registered."""

    title: str
    endings: tuple[str, ...]
    begins: Callable[[bytes], bool]
    package: str
    module: str
    register: Callable[[Any], object]


def _is_heic(head: bytes) -> bool:
    brands = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
    return head[4:8] == b"ftyp" and any(brand in head[8:64] for brand in brands) and b"avif" not in head[8:64]


def _is_jpeg_xl(head: bytes) -> bool:
    return head.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"))


_PLUGINS = (
    _Plugin(
        "HEIC",
        (".heic", ".heif", ".hif"),
        _is_heic,
        "pillow-heif",
        "pillow_heif",
        lambda module: module.register_heif_opener(),
    ),
    # This package registers itself when it is imported.
    _Plugin("JPEG XL", (".jxl",), _is_jpeg_xl, "pillow-jxl-plugin", "pillow_jxl", lambda module: None),
)


def registered(head: bytes) -> bool:
    """Register the package for files that begin with `head` (64 bytes); return whether there is one that is
    installed."""
    return any(plugin.begins(head) and _registered(plugin) for plugin in _PLUGINS)


def advice_to_write(ending: str) -> str | None:
    """Register the package that writes files with an ending (".heic"); return what to install if it is missing."""
    for plugin in _PLUGINS:
        if ending in plugin.endings and not _registered(plugin):
            return f"pip install {plugin.package} to write {plugin.title} pictures"
    return None


def advice(head: bytes) -> str | None:
    """What to install for files that begin with `head`; None if no package would help, or it is installed."""
    for plugin in _PLUGINS:
        if plugin.begins(head) and not _registered(plugin):
            return f"a {plugin.title} picture: pip install {plugin.package} to read it"
    return None


@functools.cache
def _registered(plugin: _Plugin) -> bool:
    try:
        plugin.register(importlib.import_module(plugin.module))
    except ImportError:
        return False
    return True
