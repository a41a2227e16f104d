"""torchvision, made importable beside a torch that its compiled operators can't be loaded into.

PyPI's torchvision is built for PyPI's torch. Beside a CPU build of torch its Python half looks up operators that nobody
declared and fails with a RuntimeError, and CompressAI and LPIPS, which use none of them, fail with it. Declaring
the two operators before the import lets it pass.
"""

import importlib
from typing import Any

_OPERATORS = ("nms", "qnms")
_declarations: list[Any] = []  # a declaration lives as long as its library object


def make_importable() -> None:
    """Import torchvision, declaring what it lacks. ImportError if it isn't installed or can't be repaired."""
    try:
        importlib.import_module("torchvision")
    except RuntimeError:
        import torch

        library: Any = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
        for operator in _OPERATORS:
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _declarations.append(library)
        try:
            importlib.import_module("torchvision")
        except RuntimeError as error:
            raise ImportError(f"torchvision doesn't fit this torch: {error}") from error
