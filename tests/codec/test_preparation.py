"""Stored cells, rotated colours and smaller sizes in whole files: what is encoded, and what comes back."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.cbook import get_sample_data
from PIL import Image, ImageDraw, ImageFilter, ImageFont

import lpcodec
from lpcodec.codec import api, cells, colour, container, models, picture, visual
from lpcodec.codec.arrays import ceil_div
from lpcodec.codec.coding import CodedFile, Original
from lpcodec.codec.colour import PLAIN
from lpcodec.codec.container import Downscaled, Kind, LpcFile, Section, SectionType
from lpcodec.codec.effort import ITERATIONS
from lpcodec.codec.errors import DamagedFileError, UnknownModelError
from lpcodec.codec.preparation import Preparation
from lpcodec.codec.rate import Target
from lpcodec.codec.search import FileSearch


@pytest.fixture(scope="module")
def photo() -> np.ndarray:
    with Image.open(get_sample_data("grace_hopper.jpg", asfileobj=False)) as image:
        return np.asarray(image.convert("RGB").crop((96, 32, 352, 256)))


@pytest.fixture(scope="module")
def screen(photo: np.ndarray) -> Image.Image:
    """A page of text with grey levels at the letters' edges, and a photograph in it."""
    page = Image.new("RGB", (960, 640), "white")
    for line in range(0, 640, 30):
        ImageDraw.Draw(page).text((6, line), "the quick brown fox jumps over the lazy dog " * 4, fill=(10, 20, 90))
    page = page.resize((480, 320), Image.Resampling.BOX)
    page.paste(Image.fromarray(photo[:160, :160]), (256, 96))
    return page


@pytest.fixture(scope="module")
def letters(photo: np.ndarray) -> Image.Image:
    """A photograph beside large letters in many colours."""
    page = Image.new("RGB", (480, 320), (240, 240, 250))
    page.paste(Image.fromarray(photo), (0, 40))
    rng, font = np.random.default_rng(0), ImageFont.load_default(22)
    for line in range(0, 320, 30):
        words = " ".join("".join(rng.choice(list("etaoinshrdlu"), rng.integers(2, 9))) for _ in range(4))
        ImageDraw.Draw(page).text((262, line), words, tuple(int(v) for v in rng.integers(0, 220, 3)), font)
    return page


@pytest.fixture(scope="module")
def strong(photo: np.ndarray) -> Image.Image:
    """The photograph's brightness as steps from green to orange."""
    grey = photo.astype(float).mean(2, keepdims=True) - 128
    return Image.fromarray(np.clip(128 + grey * [0.9, -0.2, -0.6], 0, 255).astype(np.uint8))


def psnr(one: Image.Image, other: Image.Image) -> float:
    error = np.asarray(one, np.float64) - np.asarray(other, np.float64)
    return float(10 * np.log10(255**2 / np.square(error).mean()))


def section_types(data: bytes) -> list[int]:
    return [section.type for section in container.read(data).sections]


class TestStoredCells:
    def test_text_is_stored_beside_a_coded_photograph(self, screen: Image.Image) -> None:
        data = lpcodec.encode(screen, quality=50)
        file = container.read(data)
        assert section_types(data)[:2] == [SectionType.LATENTS, SectionType.CELLS]
        stored = cells.from_bytes(file.payload(SectionType.CELLS) or b"", 480, 320, False).stored
        assert stored.mean() > 0.7
        assert not stored[6:16, 16:26].any()
        decoded = np.asarray(lpcodec.decode(data), int)
        white = (np.asarray(screen) == 255).all(2) & cells.by_pixel(stored, 320, 480)
        assert white.sum() > 10_000
        assert (decoded[white] == 255).all()
        assert lpcodec.verify(data) == lpcodec.info(data)

    def test_it_is_smaller_for_its_error_than_coding_everything(
        self, screen: Image.Image, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with_cells = lpcodec.encode(screen, quality=50, effort=0)
        for how in ("at", "even"):
            monkeypatch.setattr(Preparation, how, lambda self, *_: self.plain())
        without = lpcodec.encode(screen, quality=50, effort=0)
        assert section_types(without) == [SectionType.LATENTS]
        assert len(with_cells) < len(without)
        assert psnr(screen, lpcodec.decode(with_cells)) > psnr(screen, lpcodec.decode(without)) + 3

    @pytest.mark.parametrize(("size", "drawn"), [(3600, False), (6000, True)])
    def test_weights_for_the_eye_store_drawn_cells_only_if_that_looks_better(
        self, letters: Image.Image, size: int, drawn: bool
    ) -> None:
        original = Original.of(picture.load(letters, max_pixels=None), strip=True, alpha_error=0)
        search = FileSearch.at_scale(original, 0, (models.load("default@visual"),), 0, None)

        def seen(file: CodedFile) -> float:
            return visual.seen_of_pixels(np.asarray(lpcodec.decode(file.data)), np.asarray(letters))

        others = [replace(search, drawn=which).without_comparing(Target(size=size)).value for which in (False, True)]
        assert [file.has_drawn_cells for file in others] == [False, True]
        found = search.nearest(Target(size=size)).value
        assert found.has_drawn_cells == drawn
        assert (seen(found) < seen(others[0])) == drawn
        refined = replace(search, iterations=ITERATIONS[2]).nearest(Target(size=size)).value
        assert refined.has_drawn_cells == drawn
        assert seen(refined) < seen(found)

    @pytest.mark.parametrize("bpp", [0.2, 0.5])
    def test_a_rate_is_kept(self, screen: Image.Image, bpp: float) -> None:
        result = api.encode_report(screen, bpp=bpp)
        assert 0.9 * bpp <= result.bpp <= bpp
        assert SectionType.CELLS in section_types(result.data)

    def test_a_psnr_is_kept(self, screen: Image.Image) -> None:
        data = lpcodec.encode(screen, psnr=36)
        assert 36 <= psnr(screen, lpcodec.decode(data)) < 37.5

    @pytest.mark.parametrize("mode", ["L", "RGBA", "LA"])
    def test_modes(self, screen: Image.Image, mode: str) -> None:
        image = screen.convert("L") if mode[0] == "L" else screen
        if mode[-1] == "A":
            image = image.copy()
            image.putalpha(Image.linear_gradient("L").resize(image.size))
        data = lpcodec.encode(image, quality=50)
        assert SectionType.CELLS in section_types(data)
        decoded = lpcodec.decode(data)
        assert (decoded.mode, decoded.size) == (mode, image.size)
        assert psnr(image.getchannel(0), decoded.getchannel(0)) > 30

    def test_smaller_levels_show_them_too(self, screen: Image.Image) -> None:
        data = lpcodec.encode(screen, quality=50)
        half = lpcodec.decode(data, level=1)
        assert psnr(lpcodec.decode(data).resize((240, 160), Image.Resampling.BICUBIC), half) > 50

    def test_a_photograph_has_none(self, photo: np.ndarray) -> None:
        for quality in (20, 80):
            assert SectionType.CELLS not in section_types(lpcodec.encode(Image.fromarray(photo), quality=quality))

    def test_a_picture_that_is_all_drawn_is_stored_with_fewer_colours(self) -> None:
        page = Image.new("RGB", (640, 640), "white")
        for line in range(0, 640, 22):
            ImageDraw.Draw(page).text(
                (0, line), "the quick brown fox jumps over the lazy dog " * 3, fill=(line % 200, 20, 90)
            )
        page = page.resize((320, 320), Image.Resampling.BOX)
        result = api.encode_report(page, quality=40)
        header = container.read(result.data).header
        assert (header.kind, header.fewer_colours) == (Kind.STORED, True)
        assert (result.model, result.quality) == ("default@visual", 40)
        assert "stored with fewer colours: cheaper than coding it at this quality" in result.notes
        assert lpcodec.info(result.data)["lossless"] is False
        assert len(result.data) < 0.8 * len(lpcodec.encode(page, lossless=True))
        assert psnr(page, lpcodec.decode(result.data)) > 30

    def test_damage_in_them_is_named(self, screen: Image.Image) -> None:
        file = container.read(lpcodec.encode(screen, quality=30))
        sections = tuple(
            Section(s.type, s.payload[:-1] if s.type == SectionType.CELLS else s.payload) for s in file.sections
        )
        data = container.write(LpcFile(file.header, sections))
        for reading in (lpcodec.decode, lpcodec.verify):
            with pytest.raises(DamagedFileError, match=r"cells|stored picture"):
                reading(data)


class TestBackgrounds:
    @pytest.mark.parametrize("ground", [255, 0])
    @pytest.mark.parametrize("quality", [20, 50, 80])
    def test_an_even_background_stays_even(self, photo: np.ndarray, ground: int, quality: int) -> None:
        """A product on white, or on black: 30 pixels and more from it, all is as it was."""
        mask = Image.new("L", (512, 416), 0)
        ImageDraw.Draw(mask).ellipse((150, 110, 360, 300), fill=255)
        picture = Image.new("RGB", mask.size, (ground,) * 3)
        picture.paste(
            Image.fromarray(photo), (128, 96), mask.filter(ImageFilter.GaussianBlur(1)).crop((128, 96, 384, 320))
        )
        far = np.asarray(mask.filter(ImageFilter.MaxFilter(61))) == 0
        decoded = np.asarray(lpcodec.decode(lpcodec.encode(picture, quality=quality)), int)
        error = np.abs(decoded - np.asarray(picture, int)).max(2)[far]
        assert far.sum() > 20_000
        assert (error == 0).mean() >= 0.95
        assert error.max() <= 2

    @pytest.mark.parametrize("size", [(1, 1), (15, 15), (40, 30), (2000, 3)])
    @pytest.mark.parametrize("value", [(7, 200, 31), (0, 0, 0), 129])
    def test_flat_pictures_are_exact_and_tiny(self, size: tuple[int, int], value: tuple[int, int, int] | int) -> None:
        image = Image.new("L" if isinstance(value, int) else "RGB", size, value)
        data = lpcodec.encode(image, quality=50)
        assert np.array_equal(np.asarray(lpcodec.decode(data)), np.asarray(image))
        assert len(data) <= 24


class TestRotatedColours:
    def test_they_save_bits_and_come_back(self, strong: Image.Image, monkeypatch: pytest.MonkeyPatch) -> None:
        rotated = lpcodec.encode(strong, quality=60, tune="psnr")
        monkeypatch.setattr(colour, "choose", lambda *_: PLAIN)
        plain = lpcodec.encode(strong, quality=60, tune="psnr")
        assert container.read(plain).header.rotation == PLAIN
        assert container.read(rotated).header.rotation.tilt > 100
        assert lpcodec.info(rotated)["colours_rotated"]
        assert len(rotated) < 0.9 * len(plain)
        assert psnr(strong, lpcodec.decode(rotated)) > psnr(strong, lpcodec.decode(plain)) - 0.1

    def test_effort_refines_them(self, strong: Image.Image) -> None:
        small = strong.crop((60, 20, 156, 116))
        plain, refined = (lpcodec.encode(small, quality=60, tune="psnr", effort=effort) for effort in (0, 2))
        assert container.read(refined).header.rotation != PLAIN
        assert len(refined) < len(plain)
        assert psnr(small, lpcodec.decode(refined)) > psnr(small, lpcodec.decode(plain)) - 0.6

    def test_a_model_that_does_not_rotate_is_not_asked_to(self, strong: Image.Image) -> None:
        file = container.read(lpcodec.encode(strong.crop((0, 0, 64, 64)), model="wcae"))
        assert file.header.rotation == PLAIN
        forged = replace(file, header=replace(file.header, rotation=colour.Rotation(9, 9)))
        with pytest.raises(DamagedFileError, match="colours are rotated"):
            lpcodec.decode(container.write(forged))


class TestSmallerSizes:
    @pytest.mark.parametrize(("width", "height", "halvings"), [(256, 224, 1), (255, 223, 1), (253, 221, 2)])
    def test_a_picture_coded_at_a_smaller_size_is_enlarged(
        self, photo: np.ndarray, width: int, height: int, halvings: int
    ) -> None:
        image = Image.fromarray(photo).resize((width, height))
        size = (ceil_div(width, 1 << halvings), ceil_div(height, 1 << halvings))
        file = container.read(lpcodec.encode(image.resize(size, Image.Resampling.BICUBIC), quality=80))
        header = replace(file.header, width=width, height=height, downscaled=Downscaled(halvings))
        data = container.write(replace(file, header=header))
        assert psnr(image, lpcodec.decode(data)) > (24 if halvings == 1 else 18)
        assert lpcodec.verify(data)["coded_width"] == size[0]

    def test_a_network_that_is_not_here_is_named(self, photo: np.ndarray) -> None:
        file = container.read(lpcodec.encode(Image.fromarray(photo[:32, :32]), quality=50))
        header = replace(file.header, width=64, height=64, downscaled=Downscaled(1, 200, b"none"))
        with pytest.raises(UnknownModelError, match="model number 200"):
            lpcodec.decode(container.write(replace(file, header=header)))
