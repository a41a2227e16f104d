"""What was measured is found again by all that decides it, also after a run that was killed."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lpcodec.codec.errors import FileAccessError
from lpcodec.codec.evaluation.metrics.point import Point
from lpcodec.codec.evaluation.run.cache import Key, PointCache
from tests.full_disk import files_of_at_most

KEY = Key("d1", "jpeg", "options|pillow=13")


def a_point(setting: float = 50, **changes: Any) -> Point:
    row: dict[str, Any] = {
        "codec": "jpeg", "setting": setting, "image": "a", "bytes": 100, "pixels": 800, "bpp": 1.0, "psnr": 30.0,
        "mse": 65.0, "ms_ssim": 0.9, "encode_seconds": 0.1, "decode_seconds": 0.2,
    }  # fmt: skip
    return Point(**{**row, **changes})


KEYS = st.builds(
    lambda digest, codec, made_by, value, is_rate: Key(digest, codec, made_by).at(
        None if is_rate else value, value if is_rate else None
    ),
    st.sampled_from(["d1", "d2"]),
    st.sampled_from(["jpeg", "webp"]),
    st.sampled_from(["v1", "v2"]),
    st.floats(0.001, 100),
    st.booleans(),
)


@given(keys=st.lists(KEYS, min_size=2, max_size=2, unique=True))
def test_points_that_differ_in_anything_have_different_keys(keys: list[str]) -> None:
    assert keys[0] != keys[1]


def test_a_point_is_found_by_its_key_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "cache.jsonl"
    at, point = KEY.at(50.0, None), a_point()
    PointCache(path).put(at, (point,), (), contended=True)
    again = PointCache(path)
    assert again.get(at, "a") == (point,)
    assert again.contended(at)
    renamed = again.get(at, "b")
    assert renamed is not None
    assert renamed[0].image == "b"
    for other in (KEY.at(None, 50.0), Key("d2", "jpeg", KEY.made_by).at(50.0, None), KEY.at(51.0, None)):
        assert again.get(other, "a") is None


def test_metrics_that_were_not_taken_are_missing(tmp_path: Path) -> None:
    cache, at = PointCache(tmp_path / "c.jsonl"), KEY.at(50.0, None)
    cache.put(at, (a_point(others={"psnr-y": 31.0}),), ("psnr-y", "ssim"), contended=False)  # too small for SSIM
    plain, both = cache.get(at, "a"), cache.get(at, "a", ("psnr-y", "ssim"))
    assert plain is not None
    assert plain[0].others == {}
    assert both is not None
    assert both[0].others == {"psnr-y": 31.0}
    assert cache.get(at, "a", ("psnr-y", "lpips")) is None


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_file_that_was_cut_off_goes_on(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "c.jsonl"
    cache = PointCache(path)
    for setting in (50.0, 60.0):
        cache.put(KEY.at(setting, None), (a_point(setting),), (), contended=False)
    path.write_text(path.read_text()[:-cut])
    torn = PointCache(path)
    assert torn.get(KEY.at(50.0, None), "a") == (a_point(50.0),)
    torn.put(KEY.at(70.0, None), (a_point(70.0),), (), contended=False)
    whole = PointCache(path)
    assert whole.get(KEY.at(50.0, None), "a") == (a_point(50.0),)
    assert whole.get(KEY.at(70.0, None), "a") == (a_point(70.0),)
    json.loads(path.read_text().splitlines()[-1])


def test_a_target_has_the_file_below_and_the_one_above(tmp_path: Path) -> None:
    both = (a_point(50, target_bpp=1.0), a_point(51, target_bpp=1.0, above=True))
    at = KEY.at(None, 1.0)
    PointCache(tmp_path / "c.jsonl").put(at, both, (), contended=False)
    assert PointCache(tmp_path / "c.jsonl").get(at, "a") == both


def test_memory_is_kept_beside_the_points(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl"
    PointCache(path).put_memory(KEY.memory, (12.5, None))
    assert PointCache(path).memory(KEY.memory) == (12.5, None)
    assert PointCache(path).memory(KEY.at(50.0, None)) is None
    assert PointCache(path).get(KEY.memory, "a") is None


def test_two_reports_in_one_folder_keep_each_other_s_lines_whole(tmp_path: Path) -> None:
    """Lines of more than a pipe or a buffer holds, from four processes at once."""
    program = (
        "import sys\nfrom pathlib import Path\nfrom lpcodec.codec.evaluation.run.cache import PointCache\n"
        "cache = PointCache(Path(sys.argv[1]))\n"
        "row = {'points': [], 'note': sys.argv[2] * 100_000}\n"
        "for n in range(50): cache._append({'key': sys.argv[2] + str(n), **row})\n"
    )
    path = tmp_path / "cache.jsonl"
    words = [sys.executable, "-c", program, str(path)]
    writers = [subprocess.Popen([*words, letter]) for letter in "abcd"]
    assert [writer.wait(timeout=120) for writer in writers] == [0] * 4
    assert len(PointCache(path)) == 200
    # A process that starts while another one writes sees a line without its end, and begins with an empty line.
    assert all(len(json.loads(line)["note"]) == 100_000 for line in path.read_text().splitlines() if line)


def test_a_full_disk_is_named_and_the_line_is_measured_again(tmp_path: Path) -> None:
    path = tmp_path / "cache.jsonl"
    cache = PointCache(path)
    cache.put("one", [a_point()], (), contended=False)
    with files_of_at_most(path.stat().st_size + 100), pytest.raises(FileAccessError, match=r"cache\.jsonl: "):
        cache.put("two", [a_point()], (), contended=False)
    cache.put("three", [a_point()], (), contended=False)
    again = PointCache(path)
    assert [again.get(key, "a") is not None for key in ("one", "two", "three")] == [True, False, True]
