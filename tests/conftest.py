"""Pictures that several test files use: a real photograph that comes with matplotlib, and its crops."""

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def portrait() -> Image.Image:
    """matplotlib's sample photograph: Grace Hopper, 512 x 600, RGB (public domain)."""
    from matplotlib.cbook import get_sample_data

    with Image.open(get_sample_data("grace_hopper.jpg", asfileobj=False)) as image:
        return Image.fromarray(np.asarray(image.convert("RGB")))


@pytest.fixture(scope="session")
def face(portrait: Image.Image) -> Image.Image:
    """256 x 224 of it."""
    return portrait.crop((130, 60, 386, 284))


@pytest.fixture(scope="session")
def thumbnail(portrait: Image.Image) -> Image.Image:
    """All of it at 44 x 52: detail in every pixel, coded in milliseconds."""
    return portrait.resize((44, 52), Image.Resampling.LANCZOS)
