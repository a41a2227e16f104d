"""A report measured again: what differs is named, what is a matter of the machine is not."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpcodec.codec.evaluation.codecs.codec import CodecAbout
from lpcodec.codec.evaluation.codecs.command import parse
from lpcodec.codec.evaluation.metrics.point import Point
from lpcodec.codec.evaluation.run.machine import Machine
from lpcodec.codec.evaluation.run.recheck import differences, request_for
from lpcodec.codec.evaluation.run.results import Failure, PictureAbout, Results, SetAbout


def a_point(**changes: Any) -> Point:
    row: dict[str, Any] = {
        "codec": "x", "setting": 50.0, "image": "a", "bytes": 100, "pixels": 800, "bpp": 1.0, "psnr": 30.0,
        "mse": 65.0, "ms_ssim": 0.9, "encode_seconds": 0.1, "decode_seconds": 0.2, "others": {"ssim": 0.8},
    }  # fmt: skip
    return Point(**{**row, **changes})


def a_report(*points: Point, **changes: Any) -> Results:
    codecs = tuple(
        CodecAbout(name, name, "command" if name == "mine" else "peer", "options")
        for name in dict.fromkeys(p.codec for p in points)
    )
    made = Results(
        created="2026-01-01", versions={}, machine=Machine("cpu", 2, 1, False), codecs=codecs,
        pictures=SetAbout("s", "S", (PictureAbout("a", "d1", 40, 20), PictureAbout("b", "d2", 40, 20))),
        points=tuple(p for p in points if p.target_bpp is None),
        target_points=tuple(p for p in points if p.target_bpp is not None),
    )  # fmt: skip
    return replace(made, **changes)


POINTS = (a_point(), a_point(image="b"), a_point(setting=60.0), a_point(setting=41.5, target_bpp=0.3))


def test_the_same_again_differs_in_nothing() -> None:
    slower = [replace(p, encode_seconds=9.0, decode_seconds=9.0) for p in POINTS]
    assert differences(a_report(*POINTS), a_report(*slower, created="later")) == []


@given(
    place=st.integers(0, 3),
    change=st.sampled_from(
        [("bytes", 101), ("bytes", 99), ("psnr", 30.01), ("psnr", 29.99), ("ms_ssim", 0.901), ("ms_ssim", None),
         ("others", {"ssim": 0.81}), ("others", {})]
    ),
)  # fmt: skip
def test_any_point_that_changed_is_named_with_how_much(place: int, change: tuple[str, Any]) -> None:
    changed = list(POINTS)
    changed[place] = replace(changed[place], **dict([change]))
    found = differences(a_report(*POINTS), a_report(*changed))
    assert len(found) == 1
    name = "ssim" if change[0] == "others" else change[0]
    assert name in found[0].what
    where = "0.3 bpp" if place == 3 else f"setting {POINTS[place].setting:g}"
    assert str(found[0]).startswith(f"x on {POINTS[place].image} at {where}: ")


def test_another_machines_last_digits_are_no_difference() -> None:
    other = [replace(p, psnr=p.psnr + 1e-5, mse=65.001, ms_ssim=0.9000005, others={"ssim": 0.80001}) for p in POINTS]
    assert differences(a_report(*POINTS), a_report(*other)) == []


def test_points_that_are_missing_say_why_and_new_ones_are_no_difference() -> None:
    new = a_report(*POINTS[1:], a_point(setting=70.0), failures=(Failure("out of luck", "x", 50.0, "a"),))
    words = [str(d) for d in differences(a_report(*POINTS), new)]
    assert words == ["x on a at setting 50: not measured again: out of luck"]


def test_pictures_that_are_others_or_gone_are_told() -> None:
    new = a_report(*POINTS, pictures=SetAbout("s", "S", (PictureAbout("a", "other", 40, 20),)))
    assert [str(d) for d in differences(a_report(*POINTS), new)] == [
        "the picture on a at its file: has other pixels",
        "the picture on b at its file: is missing, or can't be read",
    ]


def test_a_check_asks_for_the_documents_points_and_runs_none_of_its_commands() -> None:
    old = a_report(*POINTS, a_point(codec="mine"))
    request, left_out = request_for(old, Path("pictures"), Path("out"))
    assert (request.codecs, left_out) == (("x",), ["mine"])
    assert request.settings == {"x": (50.0, 60.0)}
    assert request.targets == (0.3,)
    assert request.extra_metrics == ("ssim",)
    assert request.only == {"a", "b"}
    assert (request.threads, request.workers) == (2, 1)
    given_again = parse("mine[50,60]=c {in} {out} {q}")
    request, left_out = request_for(old, Path("pictures"), Path("out"), commands=[given_again], workers=2)
    assert (request.codecs, left_out, request.threads) == (("x", "mine"), [], 1)


def test_codecs_left_out_are_no_difference() -> None:
    old = a_report(*POINTS, a_point(codec="mine"))
    assert differences(old, a_report(*POINTS), ["mine"]) == []
    assert len(differences(old, a_report(*POINTS))) == 1


@pytest.mark.parametrize("value", [float("inf"), 40.0])
def test_lossless_points_are_compared_too(value: float) -> None:
    old = a_report(a_point(psnr=float("inf")))
    assert bool(differences(old, a_report(a_point(psnr=value)))) == (value == 40.0)
