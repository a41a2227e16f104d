"""What all tests have: a real photograph that comes with matplotlib, its crops, and no limits of time in hypothesis."""

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from PIL import Image

# By default hypothesis fails an example that takes 0.2 seconds, and inputs that are made slowly: on a busy machine both
# happen to any test.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


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
