"""A small document of results, made up: two models, two peers, a published curve, names that would break a page."""

import math
from dataclasses import replace

import pytest

from lpcodec.codec.evaluation.codecs.codec import CodecAbout
from lpcodec.codec.evaluation.metrics.point import Point
from lpcodec.codec.evaluation.run.machine import Machine
from lpcodec.codec.evaluation.run.results import Failure, PictureAbout, PublishedCurve, Results, SetAbout

HOSTILE = '</script><script>alert("x")</script>'
PICTURES = ("bridge", "cat & <b>dog</b>", "überall")
EFFICIENCY = {"default": 1.0, "jpeg": 1.6, HOSTILE: 1.2}
RATES = (0.1, 0.2, 0.4, 0.8, 1.1)
PIXELS = 400 * 300


def made_up(codec: str, setting: float, picture: str, rate: float, target: float | None = None) -> Point:
    """A point on a curve that rises by 6 dB for each doubling of the rate."""
    i = PICTURES.index(picture)
    size = round(rate * (1 + 0.03 * i) * PIXELS / 8)
    bpp = 8 * size / PIXELS
    psnr = 38 + 6 * math.log2(bpp / EFFICIENCY.get(codec, 2.0)) - i
    return Point(
        codec=codec, setting=setting, image=picture, bytes=size, pixels=PIXELS, bpp=bpp, psnr=psnr,
        mse=255**2 / 10 ** (psnr / 10), ms_ssim=1 - 10 ** (-(psnr**2) / 900), encode_seconds=0.1 * (i + 1),
        decode_seconds=0.01 * (i + 1), target_bpp=target, others={"ssim": 0.9 - 0.1 / rate / 10, "lpips": 0.1 / rate},
    )  # fmt: skip


@pytest.fixture(scope="session")
def results() -> Results:
    """A whole set of three pictures; one model has a single point; the speeds were contended."""
    points = [made_up(c, 10.0 * s, p, rate) for c in EFFICIENCY for p in PICTURES for s, rate in enumerate(RATES)]
    points += [made_up("wcae", 0.0, p, 0.3) for p in PICTURES]
    targets = [made_up(c, 12.34, p, t, t) for t in (0.15, 0.3) for c in EFFICIENCY for p in PICTURES]
    return Results(
        created="2026-01-02T03:04:05+00:00",
        versions={"lpcodec": "0.1.0"},
        machine=Machine("A processor", threads=1, workers=2, contended=True),
        pictures=SetAbout("made-up", "Made up", tuple(PictureAbout(p, "ab" * 8, 400, 300) for p in PICTURES), 3),
        codecs=(
            CodecAbout("default", "Our default", "model", "weights 1234", parameters=12345),
            CodecAbout("jpeg", "JPEG", "peer", "optimize"),
            CodecAbout(HOSTILE, HOSTILE, "command", f"run {HOSTILE} {{in}} {{out}}"),
            CodecAbout("wcae", "WCAE", "model", "weights 5678", has_dial=False),
        ),
        points=tuple(points),
        target_points=tuple(targets),
        published=(
            PublishedCurve(
                "vtm",
                "VTM",
                "a paper, <i>table 3</i>",
                (0.9, 0.1, 0.3, 0.5),
                (39, 24, 32, 36),
                (0.99, 0.93, 0.97, 0.98),
            ),
        ),
        failures=(Failure(f"broke {HOSTILE}", "jpeg", 10.0, "bridge"), Failure("no picture", picture="torn.png")),
    )


@pytest.fixture(scope="session")
def partial(results: Results) -> Results:
    """The same as a part of a set of ten."""
    return replace(results, pictures=replace(results.pictures, expected=10))
