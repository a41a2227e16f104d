"""Pictures with R = G = B come back with R = G = B, in the mode that they came in, at no more bytes."""

import numpy as np
import pytest
from PIL import Image

import lpcodec
from lpcodec.codec import api
from tests.sample_pictures import saved


@pytest.mark.parametrize("quality", [5, 25, 60])
def test_a_black_and_white_photograph_has_no_tint(portrait: Image.Image, quality: float) -> None:
    grey = portrait.convert("L").crop((100, 80, 300, 330))
    as_grey = lpcodec.encode(grey, quality=quality)
    for source in (grey.convert("RGB"), saved(grey.convert("RGB"), "JPEG", quality=90)):
        data = lpcodec.encode(source, quality=quality)
        decoded = lpcodec.decode(data)
        assert (decoded.mode, lpcodec.info(data)["mode"]) == ("RGB", "RGB")
        planes = np.asarray(decoded)
        assert (planes == planes[..., :1]).all()
    assert len(lpcodec.encode(grey.convert("RGB"), quality=quality)) == len(as_grey)
    assert lpcodec.decode(as_grey).mode == "L"


@pytest.mark.parametrize("mode", ["P", "RGBA", "CMYK"])
def test_grey_in_every_disguise_stays_grey(portrait: Image.Image, mode: str) -> None:
    grey = portrait.convert("L").crop((200, 150, 260, 230))
    image = grey.convert("RGB")
    if mode == "P":
        image = Image.frombytes("P", grey.size, grey.tobytes())
        image.putpalette(bytes(value for level in range(256) for value in (level,) * 3))
    elif mode == "RGBA":
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    elif mode == "CMYK":
        nothing = Image.new("L", grey.size)
        image = Image.merge("CMYK", (nothing, nothing, nothing, grey.point(lambda value: 255 - value)))
    decoded = lpcodec.decode(lpcodec.encode(image, quality=30))
    assert decoded.mode == ("RGBA" if mode == "RGBA" else "RGB")
    planes = np.asarray(decoded)[..., :3]
    assert (planes == planes[..., :1]).all()


def test_a_stored_grey_picture_comes_back_as_it_came() -> None:
    image = Image.linear_gradient("L").resize((20, 15)).convert("RGB")
    result = api.encode_report(image, size=400)
    assert result.model == "stored"
    decoded = lpcodec.decode(result.data)
    assert (decoded.mode, decoded.tobytes()) == ("RGB", image.tobytes())
