"""Which file becomes which: from the arguments of a command to one job per file.

```
IN                    -> beside IN, with the new ending
IN OUT, IN -o OUT     -> OUT, or into OUT if it is a folder or ends with a slash
IN... --out-dir DIR   -> DIR/stem + ending, every name different
FOLDER                -> each of its pictures (or .lpc files), by the same rules; --recursive keeps the tree
- for IN or OUT       -> standard input, standard output
```
An output never replaces a file, unless the user named that output or asked for it by --overwrite. The names, the
folders, and whether they can be written are checked before the first file is read.
"""

import glob
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lpcodec.cli.failures import plural
from lpcodec.codec.errors import DamagedFileError, FileAccessError, LpcodecError, UsageError
from lpcodec.codec.storage import make_folder

_SEPARATORS = tuple({os.sep, os.altsep or os.sep})
_NEEDS_A_PLUGIN = frozenset({".avif", ".heic", ".heif", ".jxl"})
_EMPTY = "the name of an input or output is empty"
_MANY = "several inputs need a folder for the outputs: --out-dir DIR"


@dataclass(frozen=True)
class Job:
    """One input and its output: `source` is a path or `-`, `target` is None for standard output.

    `named`: the user named the target; otherwise the program made the name.
    """

    source: str
    target: Path | None
    named: bool = False

    @property
    def words(self) -> str:
        """`photo.png -> photo.lpc`, for the line that reports the job."""
        return f"{self.source} -> {'-' if self.target is None else self.target}"


@dataclass(frozen=True)
class Inputs:
    """The kind of files that a command reads: in words (`what`, "pictures"), and which files of a folder it `takes`.

    `refusal` is the error for a file that certainly isn't of the kind, by its first bytes; None for others.
    """

    what: str
    takes: Callable[[Path], bool]
    refusal: Callable[[Path], LpcodecError | None]


@dataclass(frozen=True)
class _Source:
    """An input file. `folder` is the path of its folder below the one that was given; empty if a file was given."""

    name: str
    folder: Path


def plan(
    words: Sequence[str],
    kind: Inputs,
    ending: str,
    *,
    output: str | None = None,
    out_dir: Path | None = None,
    recursive: bool = False,
    urls: bool = False,
) -> tuple[list[Job], list[str]]:
    """The jobs that a command's arguments ask for, and a note for each folder of which files are left out.

    `words` are the arguments. `ending`, such as ".lpc", is that of outputs that the user doesn't name.

    Raises:
        UsageError: several inputs without a folder, two inputs with one output, an output that is an input, or an
            empty name.
        FileAccessError: a pattern or a folder without files, or a URL, unless `urls` says that they are read.
        LpcodecError: an input that is an output too, and isn't of the kind.
    """
    inputs, out = _split(words, output, out_dir)
    found, notes = _sources(inputs, kind, recursive, urls)
    folder = out_dir or _as_folder(out, inputs)
    if folder is not None:
        jobs = [_into(folder, source, ending) for source in found]
    elif out is not None:
        if len(found) > 1:
            raise UsageError(f"{out} is not a folder: {_MANY}")
        jobs = [Job(found[0].name, None if out == "-" else Path(out), named=True)]
    else:
        if len(inputs) > 1:
            raise UsageError(f"{len(inputs)} inputs: {_MANY}")
        jobs = [_beside(source, ending) for source in found]
    _check_names(jobs, kind)
    return jobs, notes


def inputs_of(words: Sequence[str], kind: Inputs, *, recursive: bool = False) -> list[str]:
    """The input files of a command without OUT: patterns expanded, folders searched. FileAccessError as `plan`."""
    found, _ = _sources([name for word in words for name in _expanded(word)], kind, recursive, urls=False)
    return [source.name for source in found]


def is_picture(path: Path) -> bool:
    """Whether a file's ending is that of a picture format that Pillow reads, or reads with a plugin. Not .lpc."""
    from PIL import Image

    ending = path.suffix.lower()
    if ending in _NEEDS_A_PLUGIN:
        return True
    return ending != ".lpc" and Image.registered_extensions().get(ending) in Image.OPEN


def is_coded(path: Path) -> bool:
    """Whether a file has the ending .lpc or the signature of our files."""
    return path.suffix.lower() == ".lpc" or _is_signed(path)


def _is_signed(path: Path) -> bool:
    from lpcodec.codec.container import SIGNATURE

    try:
        with open(path, "rb") as stream:
            return stream.read(len(SIGNATURE)) == SIGNATURE
    except OSError:
        return False


def _no_picture(path: Path) -> LpcodecError | None:
    return FileAccessError(f"{path}: an .lpc file, which is coded already") if _is_signed(path) else None


def _not_coded(path: Path) -> LpcodecError | None:
    return None if _is_signed(path) else DamagedFileError(f"{path}: not an lpcodec file")


PICTURES = Inputs("pictures", is_picture, _no_picture)
LPC_FILES = Inputs(".lpc files", is_coded, _not_coded)


def missing(jobs: Sequence[Job], *, skip_existing: bool, overwrite: bool) -> list[Job]:
    """The jobs to do; with `skip_existing` only those without an output.

    Raises:
        UsageError: both switches are given; or neither is, and an output that the user didn't name exists already.
    """
    if skip_existing and overwrite:
        raise UsageError("give --skip-existing or --overwrite, not both")
    if skip_existing:
        return [job for job in jobs if job.target is None or not job.target.exists()]
    there = [job.target for job in jobs if not job.named and job.target is not None and job.target.exists()]
    if there and not overwrite:
        others = f" and {plural(len(there) - 1, 'other output')} are" if len(there) > 1 else " is"
        raise UsageError(
            f"{there[0]}{others} there already, and nothing was done: --overwrite replaces what is there, "
            "--skip-existing keeps it, and an OUT gives another name"
        )
    return list(jobs)


def prepare_outputs(jobs: Sequence[Job]) -> None:
    """Make the folders of outputs that the user didn't name, and check that every output can be written.

    Raises:
        FileAccessError: an output, or its folder, can't be written, or the folder of a named output doesn't exist.
    """
    for job in jobs:
        if job.target is None:
            continue
        beside = not job.named and job.target.parent == Path(job.source).parent
        if not job.named and not beside:
            make_folder(job.target.parent)
        if not beside or job.target.parent.is_dir():  # if it isn't, the missing input is the error to report
            check_writable(job.target)


def check_writable(target: Path) -> None:
    """Raises FileAccessError if a file can't be written under this name, before the work for it begins."""
    if target.is_dir():
        raise FileAccessError(f"{target}: a folder has this name")
    if target.exists():
        if not os.access(target, os.W_OK):
            raise FileAccessError(f"{target}: Permission denied")
        if not target.is_file():
            return  # a device or a pipe
    parent = Path(os.path.realpath(target)).parent
    if not parent.is_dir():
        raise FileAccessError(f"{target}: there is no folder {target.parent}")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise FileAccessError(f"{target}: the folder {target.parent} can't be written")


def _split(words: Sequence[str], output: str | None, out_dir: Path | None) -> tuple[list[str], str | None]:
    """The inputs, with patterns expanded, and OUT."""
    if output == "":
        raise UsageError(_EMPTY)
    if output is not None and out_dir is not None:
        raise UsageError("give --output or --out-dir, not both")
    inputs = [name for word in words for name in _expanded(word)]
    if output is not None or out_dir is not None:
        return inputs, output
    if len(inputs) > 1 and (len(inputs) == 2 or inputs[-1].endswith(_SEPARATORS)):
        return inputs[:-1], inputs[-1]
    return inputs, None


def _expanded(word: str) -> list[str]:
    """The files of a pattern, which the shell leaves to us on Windows; any other word as it is."""
    if not word:  # a path would take it for the current folder
        raise UsageError(_EMPTY)
    if _is_url(word) or not glob.has_magic(word) or os.path.lexists(word):
        return [word]
    names = sorted(glob.glob(word, recursive=True))
    if not names:
        raise FileAccessError(f"{word}: no file has such a name")
    return names


def _is_url(word: str) -> bool:
    return "://" in word and not os.path.lexists(word)


def _sources(inputs: Sequence[str], kind: Inputs, recursive: bool, urls: bool) -> tuple[list[_Source], list[str]]:
    found: list[_Source] = []
    notes: list[str] = []
    for word in inputs:
        if _is_url(word) and not urls:
            raise FileAccessError(f"{word}: only decode with --region, and batch, read URLs; download the file first")
        if word == "-" or not os.path.isdir(word):
            found.append(_Source(word, Path()))
        else:
            found += _in_folder(word, kind, recursive, notes)
    return found, notes


def _in_folder(word: str, kind: Inputs, recursive: bool, notes: list[str]) -> list[_Source]:
    """The files of a folder that the command takes, sorted by name, without hidden ones. Adds to `notes` what is left
    out."""
    top = Path(word)
    taken: list[_Source] = []
    others: list[Path] = []
    closed = 0
    try:
        for folder, folders, names in os.walk(top, onerror=_raise):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            if not recursive:
                closed, folders[:] = len(folders), []
            for path in (Path(folder) / name for name in sorted(names) if not name.startswith(".")):
                if kind.takes(path):
                    taken.append(_Source(str(path), path.parent.relative_to(top)))
                else:
                    others.append(path)
    except OSError as error:
        raise FileAccessError(f"{error.filename}: {error.strerror or error}") from error
    if not taken:
        deeper = f"; --recursive looks into its {plural(closed, 'folder')}" if closed else ""
        raise FileAccessError(f"{word}: the folder holds no {kind.what}{deeper}")
    if others:
        more = " and so on" if len(others) > 1 else ""
        notes.append(f"{word}: left out {plural(len(others), 'file')} other than {kind.what}: {others[0].name}{more}")
    if closed:
        notes.append(f"{word}: left out {plural(closed, 'folder')}; --recursive takes what is in there")
    return taken


def _raise(error: OSError) -> None:
    raise error


def _as_folder(out: str | None, inputs: Sequence[str]) -> Path | None:
    """OUT as the folder that the outputs go into; None if it is a file."""
    if out is None or out == "-":
        return None
    if out.endswith(_SEPARATORS) or os.path.isdir(out):
        return Path(out)
    if any(os.path.isdir(word) for word in inputs):
        if os.path.lexists(out):
            raise UsageError(f"{out} is a file: a folder of inputs needs a folder for its outputs")
        return Path(out)
    return None


def _into(folder: Path, source: _Source, ending: str) -> Job:
    if source.name == "-":
        raise UsageError("standard input has no name to give to a file in a folder: name the file")
    return Job(source.name, folder / source.folder / (Path(source.name).stem + ending))


def _beside(source: _Source, ending: str) -> Job:
    if source.name == "-":
        return Job("-", None)
    if _is_url(source.name):
        raise UsageError(f"{source.name}: nothing can be written beside a URL; name an OUT")
    path = Path(source.name)
    return Job(source.name, path.parent / (path.stem + ending))


def _check_names(jobs: Sequence[Job], kind: Inputs) -> None:
    """UsageError for two inputs of one output, and for an output that is an input.

    If that input can't be read anyway, its `refusal` is raised: another name for the output wouldn't help.
    """
    sources = {_file_number(job.source): job.source for job in jobs if job.source != "-"}
    targets: dict[str, str] = {}
    for job in jobs:
        if job.target is None:
            continue
        number, name = _file_number(job.target), os.path.normcase(os.path.realpath(job.target))
        if number is not None and number in sources:
            if refusal := kind.refusal(Path(sources[number])):
                raise refusal
            raise UsageError(f"{sources[number]}: the output would replace this input; name another OUT")
        if name in targets:
            both = f"{targets[name]} and {job.source} would both become {job.target}"
            raise UsageError(f"{both}: rename one, or run it alone with an OUT of its own")
        targets[name] = job.source


def _file_number(path: str | Path) -> tuple[int, int] | None:
    """What identifies a regular file, whatever its name: device and inode. None for anything else."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None
