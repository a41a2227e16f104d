"""The pictures of a folder, and what is left out of it."""

from pathlib import Path

import pytest

from lpcodec.datasets.pictures import left_out, picture_files


def filled(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"")
    return folder


def test_jpeg_files_beside_a_lossless_picture_are_left_out_with_a_word(tmp_path: Path) -> None:
    folder = filled(tmp_path, *(f"{i}.jpg" for i in range(5)), "page.png", "notes.txt", ".hidden.jpg")
    assert [path.name for path in picture_files(folder)] == ["page.png"]
    assert left_out(folder) == (
        "Left out: 0.jpg and 4 more (JPEG files are taken only if a folder has no lossless pictures).",
    )


def test_other_formats_and_folders_are_left_out_with_a_word(tmp_path: Path) -> None:
    formats, inside = left_out(filled(tmp_path, "a.jpg", "b.heic", "c.AVIF", "more/d.png", "texts/e.txt"))
    assert formats.startswith("Left out: b.heic and 1 more (only .bmp, .jpeg,")
    assert inside == "Left out: more (folders inside the folder are not searched)."


@pytest.mark.parametrize("names", [("a.jpg", "b.jpeg"), ("a.png", "b.webp", "readme.md"), ()])
def test_a_plain_folder_leaves_nothing_out(tmp_path: Path, names: tuple[str, ...]) -> None:
    assert left_out(filled(tmp_path, *names)) == ()
