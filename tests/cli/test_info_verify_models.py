"""info, verify and models: for people and for scripts."""

import json
from pathlib import Path
from typing import Any

import pytest

DESCRIBED = [
    {
        "name": "default",
        "kind": "codec",
        "parameters": 4763232,
        "digest": "ab" * 32,
        "weights": True,
        "description": "x [y]",
    },
    {
        "name": "wcae",
        "kind": "codec",
        "parameters": 256606,
        "digest": None,
        "weights": False,
        "description": "z",
    },
]


@pytest.fixture(autouse=True)
def _files(folder: Path, api: Any) -> None:
    for name in ("a.lpc", "b.lpc"):
        Path(name).write_bytes(b"fake lpc of some length")
    Path("bad.lpc").write_bytes(b"junk")


def test_info_as_json_is_an_object_a_line(lpcodec: Any) -> None:
    ran = lpcodec("info", "a.lpc", "b.lpc", "--json")
    objects = [json.loads(line) for line in ran.stdout.splitlines()]
    assert [o["file"] for o in objects] == ["a.lpc", "b.lpc"]
    assert objects[0]["sections"] == [{"type": "latents", "bytes": 12345}]


def test_info_for_people(lpcodec: Any) -> None:
    text = lpcodec("info", "a.lpc").stdout
    for words in (
        "a.lpc",
        "width",
        "name default, installed yes, has quality yes",
        "type latents, bytes 12,345",
    ):
        assert words in text


def test_info_tells_people_what_each_level_takes(lpcodec: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    Path("layers.lpc").write_bytes(b"fake lpc layered")
    lines = lpcodec("info", "layers.lpc").stdout.splitlines()
    (coarse,) = [line for line in lines if "level 1" in line]
    (fine,) = [line for line in lines if "level 0" in line]
    assert "16 x 8 pixels, from the first 1,234 bytes (12.3 %), of which 1,200 are its own" in coarse
    assert "32 x 16 pixels, from the first 9,999 bytes (100 %), of which 8,000 are its own" in fine


def test_info_tells_of_the_others_when_one_is_damaged(lpcodec: Any) -> None:
    ran = lpcodec("info", "bad.lpc", "a.lpc", "--json")
    assert ran.exit_code == 3
    assert json.loads(ran.stdout)["file"] == "a.lpc"
    assert ran.stderr == "lpcodec: error: bad.lpc: not an lpcodec file\n"


def test_info_reads_a_pipe(lpcodec: Any) -> None:
    assert json.loads(lpcodec("info", "-", "--json", stdin=b"fake lpc ").stdout)["bytes"] == 9


def test_verify(lpcodec: Any, api: Any) -> None:
    ran = lpcodec("verify", "a.lpc", "bad.lpc", "b.lpc")
    assert (ran.exit_code, ran.stdout) == (3, "a.lpc: ok\nb.lpc: ok\n")
    assert ran.stderr == "lpcodec: error: bad.lpc: not an lpcodec file\n"
    assert lpcodec("verify", "a.lpc", "--quiet", "--max-pixels", "1M").stdout == ""
    assert api.calls[-1][2]["max_pixels"] == 1_000_000


def test_models_as_json(lpcodec: Any, replace_module: Any) -> None:
    replace_module("lpcodec.codec.models", describe=lambda: DESCRIBED)
    assert json.loads(lpcodec("models", "--json").stdout) == DESCRIBED


def test_models_for_people(lpcodec: Any, replace_module: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    replace_module("lpcodec.codec.models", describe=lambda: DESCRIBED)
    text = lpcodec("models").stdout
    for words in ("default", "4,763,232", "abababab ", "x [y]", "Without weights; lpcodec train makes some: wcae."):
        assert words in text


def test_the_installed_models_are_listed(lpcodec: Any) -> None:
    """The real registry: every card, whatever costs it holds."""
    ran = lpcodec("models")
    assert ran.exit_code == 0, ran.stderr
    for name in ("default", "wcae@0.13", "lpae"):
        assert f" {name} " in ran.stdout
