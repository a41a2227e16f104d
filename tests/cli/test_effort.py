"""`lpcodec encode --effort`: passed on, bounded, explained."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lpcodec.codec.effort import DEFAULT


@pytest.mark.parametrize(("words", "effort"), [((), DEFAULT), (("--effort", "7"), 7)])
def test_the_effort_is_passed_on(api: Any, folder: Path, lpcodec: Any, words: tuple[str, ...], effort: int) -> None:
    Image.new("RGB", (8, 8)).save(folder / "a.png")
    assert lpcodec("encode", "a.png", *words).exit_code == 0
    assert api.calls[0][2]["effort"] == effort


@pytest.mark.parametrize("value", ["10", "-1", "1.5", "much"])
def test_others_than_0_to_9_are_refused_before_anything_is_read(
    api: Any, folder: Path, lpcodec: Any, value: str
) -> None:
    assert lpcodec("encode", "a.png", "--effort", value).exit_code == 2
    assert api.calls == []


def test_the_help_has_an_example(lpcodec: Any) -> None:
    assert "--effort 4" in lpcodec("encode", "--help").stdout
