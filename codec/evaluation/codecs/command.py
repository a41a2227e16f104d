"""Any other codec, through its command line: `--codec 'NAME[SETTINGS]=ENCODE ;; DECODE'`.

    pixels --PNG {in}--> ENCODE --{out}--> the coded file's bytes --{in}--> DECODE --{out} PNG--> pixels

    'cjpeg=cjpeg -quality {q} -outfile {out} {in}.ppm'                              Pillow reads what it writes
    'bpg[45,40,35,30,25]=bpgenc -q {q} -o {out}.bpg {in} ;; bpgdec -o {out} {in}'   settings from coarse to fine
    'mine=python codec.py encode {in} {out} {q} ;; python codec.py decode {in} {out}'

{q} is the setting. In ENCODE, {in} is the picture as PNG, {in}.ppm (or .bmp, .tif) the same in another format, and
{out} the file to write, with the ending that follows it: {out}.bpg. In DECODE, {in} is the coded file as it was
written, and {out} a PNG to write ({out}.ppm and so on: another format). Without DECODE the coded file is read by
Pillow. Settings are listed from coarse to fine; without a list they are 10, 20, ..., 90. Whole numbers make a dial
of whole numbers.

Commands run in the current folder, without a shell (words are split as a shell would: for a pipe write `sh -c
'...'`), and are stopped after ten minutes; files go to a temporary folder. Times include the start of a command and
its files.
"""

import os
import re
import shlex
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from PIL import Image

from lpcodec.codec import picture
from lpcodec.codec.arrays import Pixels
from lpcodec.codec.errors import UsageError

SETTINGS = tuple(float(q) for q in range(10, 100, 10))
SECONDS = 600.0
_SHAPE = re.compile(r"\s*([A-Za-z0-9][\w.@+-]*)\s*(?:\[([^\]]*)\])?\s*=(.*)", re.DOTALL)
_PLACE = re.compile(r"\{(in|out|q)\}((?<=\{in\})\.\w+|(?<=\{out\})\.\w+)?")
_FORMATS = {".png": "PNG", ".ppm": "PPM", ".bmp": "BMP", ".tif": "TIFF", ".tiff": "TIFF"}


class CommandError(RuntimeError):
    """A command that failed: it ended with an error, took too long, or left no file."""


@dataclass(frozen=True)
class Command:
    """A codec behind command lines, from coarse to fine settings; `decoding` empty: Pillow reads its files."""

    name: str
    settings: tuple[float, ...]
    encoding: tuple[str, ...]
    decoding: tuple[str, ...] = ()
    seconds: float = SECONDS

    @property
    def title(self) -> str:
        return self.name

    @property
    def options(self) -> str:
        """The command lines, as they were given."""
        return " ;; ".join(shlex.join(words) for words in (self.encoding, self.decoding) if words)

    @property
    def coarsest(self) -> float:
        return self.settings[0]

    @property
    def finest(self) -> float:
        return self.settings[-1]

    @property
    def continuous(self) -> bool:
        return any(setting != int(setting) for setting in self.settings)

    def encode(self, pixels: Pixels, setting: float) -> bytes:
        """The coded file's bytes for pixels uint8 (H, W, 3). CommandError if the command fails."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for ending in {ending or ".png" for kind, ending in _places(self.encoding) if kind == "in"}:
                with open(folder / f"in{ending}", "wb") as stream:
                    picture.save(Image.fromarray(pixels), stream, _FORMATS[ending.lower()])
            self._run(self.encoding, folder, {"in": "in", "out": "coded", "q": f"{setting:.10g}"}, (".png", ""))
            return _written(folder, "coded", self.encoding).read_bytes()

    def decode(self, data: bytes) -> Pixels:
        """The pixels uint8 (H, W, 3) of a coded file. CommandError if the command fails, OSError if Pillow
        can't read what it wrote."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            # The ending that the encoder was asked for: many decoders go by it.
            ending = next((ending for kind, ending in _places(self.encoding) if kind == "out"), "")
            path = folder / f"coded{ending}"
            path.write_bytes(data)
            if self.decoding:
                self._run(self.decoding, folder, {"in": f"coded{ending}", "out": "decoded", "q": ""}, ("", ".png"))
                path = _written(folder, "decoded", self.decoding)
            return picture.load_rgb(path).pixels

    def _run(self, words: tuple[str, ...], folder: Path, files: Mapping[str, str], endings: tuple[str, str]) -> None:
        bare = dict(zip(("in", "out"), endings, strict=True))

        def put(match: re.Match[str]) -> str:
            kind, ending = match[1], match[2]
            return files[kind] if kind == "q" else str(folder / (files[kind] + (ending or bare[kind])))

        line = [_PLACE.sub(put, word) for word in words]
        try:
            ran = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, timeout=self.seconds, check=False)
        except subprocess.TimeoutExpired:
            raise CommandError(f"{words[0]} was stopped after {self.seconds:g} seconds") from None
        except OSError as error:
            raise CommandError(f"{words[0]} can't be run: {error.strerror}") from error
        if ran.returncode:
            said = (ran.stderr.strip() or ran.stdout.strip()).decode("utf-8", "replace").splitlines()
            raise CommandError(f"{words[0]} ended with {ran.returncode}" + (f": {said[-1].strip()}" if said else ""))


def parse(text: str) -> Command:
    """The codec of `NAME[SETTINGS]=ENCODE ;; DECODE`. UsageError, which says what is wrong, for another text."""
    match = _SHAPE.fullmatch(text)
    if match is None:
        raise UsageError(f"--codec {text!r}: write 'NAME=COMMAND {{in}} {{out}} {{q}}' or 'NAME[10,50,90]=COMMAND ...'")
    name, listed, commands = match.groups()
    try:
        encoding, *decodings = (shlex.split(part) for part in commands.split(";;"))
    except ValueError as error:
        raise UsageError(f"--codec {name}: {error}") from error
    used = {kind for kind, _ in _places(encoding)}
    if missing := {"in", "out"} - used:
        raise UsageError(f"--codec {name}: the command lacks {' and '.join('{' + k + '}' for k in sorted(missing))}")
    if len(decodings) > 1 or any({k for k, _ in _places(d)} != {"in", "out"} for d in decodings):
        raise UsageError(
            f"--codec {name}: after ;; comes one command to decode, with {{in}} and {{out}}, without {{q}}"
        )
    if any(kind == "in" and ending for d in decodings for kind, ending in _places(d)):
        raise UsageError(f"--codec {name}: to decode, {{in}} is the coded file with the ending that {{out}} gave it")
    for ending in (e for command in (encoding, *decodings) for e in _picture_endings(command, command is encoding)):
        if ending.lower() not in _FORMATS:
            raise UsageError(f"--codec {name}: pictures are given and taken as {', '.join(_FORMATS)}, not {ending}")
    settings = _settings(name, listed) if "q" in used else (0.0,)
    return Command(name, settings, tuple(encoding), tuple(decodings[0]) if decodings else ())


def _settings(name: str, listed: str | None) -> tuple[float, ...]:
    if listed is None:
        return SETTINGS
    try:
        settings = tuple(float(part) for part in listed.split(","))
    except ValueError:
        raise UsageError(f"--codec {name}[{listed}]: settings are numbers, like [10,50,90]") from None
    steps = {b > a for a, b in pairwise(settings)}
    if len(steps) > 1 or len(set(settings)) < len(settings):
        raise UsageError(f"--codec {name}[{listed}]: list the settings from coarse to fine, each once")
    return settings


def _places(words: list[str] | tuple[str, ...]) -> list[tuple[str, str]]:
    """The placeholders of a command: (in, out or q; the ending that follows it)."""
    return [(match[1], match[2] or "") for word in words for match in _PLACE.finditer(word)]


def _picture_endings(command: list[str], encodes: bool) -> list[str]:
    """The endings of the files that are pictures: what an encoder reads, what a decoder writes."""
    kind = "in" if encodes else "out"
    return [ending for place, ending in _places(command) if place == kind and ending]


def _written(folder: Path, stem: str, words: tuple[str, ...]) -> Path:
    found = [path for path in folder.iterdir() if path.name.startswith(stem) and os.path.getsize(path)]
    if len(found) != 1:
        wrote = "no file" if not found else f"{len(found)} files"
        raise CommandError(f"{words[0]} wrote {wrote} at {{out}}")
    return found[0]
