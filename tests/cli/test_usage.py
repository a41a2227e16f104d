"""Wrong usage is one line, with the option, the value and what it should be."""

from typing import Any

import pytest

from lpcodec.codec.rate import DEFAULT_QUALITY

LINES = [
    (("encode", "a.png", "--bpp", "0,15"), "--bpp 0,15: not a number; write 0.15"),
    (("encode", "a.png", "--out-dir", ""), "what follows --out-dir is empty: leave it out, or give it a value"),
    (("encode", "a.png", "--out-dir="), "--out-dir is empty: leave it out, or give it a value"),
    (("decode", "a.lpc", "-o", ""), "what follows -o is empty: leave it out, or give it a value"),
    (("encode", "a.png", "--", ""), "the name of an input or output is empty"),
    (("encode", "a.png", "--bpp", "much"), "--bpp much: not a number"),
    (("encode", "a.png", "--psnr", "34dB"), "--psnr 34dB: not a number"),
    (("encode", "a.png", "-q", "101"), "--quality 101: give at most 100"),
    (("encode", "a.png", "-q", "nan"), "--quality nan: not a number"),
    (("encode", "a.png", "--alpha-quality", "NaN"), "--alpha-quality NaN: not a number"),
    (("encode", "a.png", "-q", "-1"), "--quality -1: give at least 0"),
    (("encode", "a.png", "-j", "0"), "--threads 0: give at least 1"),
    (("encode", "a.png", "-j", "1.5"), "--threads 1.5: not a whole number"),
    (("encode", "a.png", "--effort", "10"), "--effort 10: give at most 9"),
    (("decode", "a.lpc", "--level", "half"), "--level half: not a whole number"),
    (
        ("encode", "a.png", "--size", "many"),
        "--size 'many' is no amount: write 20000, 20k, 20KB or 1.5M; see lpcodec encode --help",
    ),
    (
        ("encode", "a.png", "--size", "1.5"),
        "--size '1.5': give a whole number, or one with k, M or G; see lpcodec encode --help",
    ),
    (("compare", "a.png", "--bpp", "0"), "--bpp 0: rates are positive"),
    (("report", "--data", ".", "--pictures", "-1"), "--pictures -1: rates are positive"),
    (("report", "--data", ".", "--targets", "x"), "--targets x: no list of rates; write 0.15,0.3"),
    (("encode",), "Missing argument 'IN [OUT]'; see lpcodec encode --help"),
    (("encode", "--bpp"), "Option '--bpp' requires an argument"),
    (("encod",), "No such command 'encod'. Did you mean 'encode', 'decode'?; see lpcodec --help"),
    (("train", "default", "--data", "d", "--out", "o", "--batch", "x"), "--batch x: not a whole number"),
]


@pytest.mark.parametrize(("words", "line"), LINES)
def test_a_usage_error_is_one_line(lpcodec: Any, words: tuple[str, ...], line: str) -> None:
    ran = lpcodec(*words)
    assert (ran.exit_code, ran.stdout, ran.stderr) == (2, "", f"lpcodec: error: {line}\n")


@pytest.mark.parametrize("words", [(), ("datasets",), ("show",)])
def test_a_group_alone_shows_its_help(lpcodec: Any, words: tuple[str, ...]) -> None:
    ran = lpcodec(*words)
    assert ran.exit_code == 2
    assert "Usage: lpcodec" in ran.output


def test_model_names_are_completed() -> None:
    from lpcodec.cli.options import complete_models

    assert complete_models("def") == ["default", "default@visual"]
    assert {"wcae-wide", "wcae"} & {name.split("@")[0] for name in complete_models("wc")}


def test_help_has_the_promises_and_defaults(lpcodec: Any) -> None:
    wanted = {
        "encode": ("97 %", f"{DEFAULT_QUALITY:g} the default", "--overwrite", "--recursive", "--lossless"),
        "decode": ("--overwrite", "--recursive", "--output"),
    }
    for command, words in wanted.items():
        text = " ".join(lpcodec(command, "--help").stdout.replace("\u2502", " ").split())
        assert all(word in text for word in words)
