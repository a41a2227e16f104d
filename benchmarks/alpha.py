"""What alpha takes in a file at several bounds of its error, on planes made here (docs/pictures.md).

    python benchmarks/alpha.py

Prints a row of the page's table for each plane: bytes of the ALPHA section. Every plane is decoded and compared.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from lpcodec.codec import alpha

WIDTH, HEIGHT = 768, 512
ERRORS = (0, 1, 2, 4)

Plane = npt.NDArray[np.uint8]


def planes() -> Iterator[tuple[str, Plane]]:
    """Alpha as people have it; the same planes each time."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    chance = np.random.default_rng(0)
    radius = np.hypot((x - WIDTH / 2) / WIDTH * 2, (y - HEIGHT / 2) / HEIGHT * 2)
    yield "vignette (a gradient)", _bytes(300 - 260 * radius)
    shapes = Image.new("L", (4 * WIDTH, 4 * HEIGHT))
    draw = ImageDraw.Draw(shapes)
    draw.ellipse((400, 300, 2400, 1800), fill=255)
    draw.polygon([(100, 100), (900, 200), (500, 1900)], fill=255)
    yield "shapes with smooth edges", np.asarray(shapes.resize((WIDTH, HEIGHT), Image.Resampling.BOX))
    shadow = Image.new("L", (WIDTH, HEIGHT))
    ImageDraw.Draw(shadow).rounded_rectangle((100, 100, 600, 400), 30, fill=160)
    yield "shadow (blurred box)", np.asarray(shadow.filter(ImageFilter.GaussianBlur(18)))
    yield "hair", _hair(chance)
    smoke = sum(_clouds(chance, cell) * cell**0.8 for cell in (4, 8, 16, 32, 64, 128))
    smoke = (smoke - np.min(smoke)) / np.ptp(smoke)
    yield "smoke", _bytes((smoke - 0.35) * 600)
    grain = chance.normal(0, 3, smoke.shape) * (smoke > 0.36)
    yield "smoke with grain", _bytes((smoke - 0.35) * 600 + grain)


def _bytes(values: npt.NDArray[np.floating]) -> Plane:
    plane: Plane = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return plane


def _clouds(chance: np.random.Generator, cell: int) -> npt.NDArray[np.float32]:
    grid = chance.normal(size=(HEIGHT // cell + 2, WIDTH // cell + 2)).astype(np.float32)
    return np.asarray(Image.fromarray(grid).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))


def _hair(chance: np.random.Generator) -> Plane:
    """A filled oval with 1,500 thin strands around it, at twice the size."""
    image = Image.new("L", (2 * WIDTH, 2 * HEIGHT))
    draw = ImageDraw.Draw(image)
    draw.ellipse((500, 350, 1000, 900), fill=255)
    for _ in range(1500):
        angle = chance.uniform(0, 2 * np.pi)
        place = np.array([750 + 240 * np.cos(angle), 620 + 260 * np.sin(angle)])
        strand = [tuple(place)]
        for _ in range(12):
            angle += chance.normal(0, 0.25)
            place = place + np.array([np.cos(angle), np.sin(angle)]) * chance.uniform(5, 14)
            strand.append(tuple(place))
        draw.line(strand, fill=int(chance.integers(80, 255)), width=1)
    return np.asarray(image.resize((WIDTH, HEIGHT), Image.Resampling.BOX))


def main() -> None:
    """Print the table's rows."""
    for name, plane in planes():
        sizes = []
        for error in ERRORS:
            payload = alpha.to_bytes(plane, error)
            decoded = alpha.from_bytes(payload, WIDTH, HEIGHT)
            assert np.abs(decoded.astype(int) - plane).max() <= error
            sizes.append(f"{len(payload):,}")
        print(f"| {name} | {' | '.join(sizes)} |")


if __name__ == "__main__":
    main()
