"""CompressAI as an independent peer in tests: imported where installed, otherwise the test is skipped."""

import importlib
from types import ModuleType

import pytest
import torch

_declarations: list[torch.library.Library] = []  # a declaration lives as long as its library object


def compressai_module(name: str) -> ModuleType:
    """Import the module `name` of CompressAI, or skip the calling test with the reason."""
    _mend_torchvision()
    try:
        return importlib.import_module(name)
    except ImportError as error:
        pytest.skip(f"compressai (extra 'train') can't be imported: {error}")


def _mend_torchvision() -> None:
    """Make `import torchvision` work beside a torch that its compiled operators can't be loaded into.

    With a CPU build of torch the Python half of PyPI's torchvision looks up operators that nobody declared.
    """
    try:
        importlib.import_module("torchvision")
    except ImportError:
        return  # not installed; CompressAI isn't either, or will say so
    except RuntimeError:
        library = torch.library.Library("torchvision", "DEF")
        for operator in ("nms", "qnms"):
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _declarations.append(library)
