"""The house rules: floors, module sizes, light imports, exit codes, no machine paths, a complete wheel."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lpcodec.codec import errors

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("codec", "entropy", "cli", "datasets")
LONGEST_MODULE = 500
PACKAGE_DATA = (".html", ".css", ".js", ".json")


def _sources() -> dict[str, Path]:
    """Every module of the package: dotted name without `lpcodec.` -> file."""
    found = {}
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


SOURCES = _sources()


def test_imports_keep_the_floors() -> None:
    """import-linter's contracts of pyproject.toml; imports for types alone count as well."""
    pytest.importorskip("importlinter", reason="import-linter isn't installed")
    program = "import sys; from importlinter.cli import lint_imports_command; sys.exit(lint_imports_command())"
    ran = subprocess.run(
        [sys.executable, "-c", program, "--no-cache"], cwd=ROOT, capture_output=True, text=True, encoding="utf-8",
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), *sys.path]), "PYTHONUTF8": "1"},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_network_s_class_is_asked_for_in_its_own_folder_alone() -> None:
    """`isinstance` with a network's class is for its own folder: elsewhere seams do."""
    classes = {
        node.name: name.rpartition(".")[0]
        for name in SOURCES if name.startswith("codec.families.") and name.count(".") == 3
        for node in ast.walk(_parse(name)) if isinstance(node, ast.ClassDef)
    }  # fmt: skip
    for name in SOURCES:
        for node in ast.walk(_parse(name)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "isinstance":
                asked = {word for word in re.findall(r"\w+", ast.unparse(node.args[1])) if word in classes}
                assert {classes[word] for word in asked} <= {name.rpartition(".")[0]}, f"{name}: {ast.unparse(node)}"


def test_progress_has_one_signature() -> None:
    """Whatever is called `progress` is a `Progress`: words and the part done."""
    for name in SOURCES:
        for node in ast.walk(_parse(name)):
            if isinstance(node, ast.arg) and node.arg == "progress" and node.annotation is not None:
                asked = ast.unparse(node.annotation)
                assert asked.removesuffix(" | None").strip("'") == "Progress", f"{name}: progress: {asked}"
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "Progress":
                assert ast.unparse(node.value) == "Callable[[str, float], None]", name


def test_the_lists_of_rooms_are_one_list() -> None:
    """hatch_build.PARTS; packaging, lint, coverage and git know the same rooms."""
    tomllib = pytest.importorskip("tomllib")
    assert "PARTS = (" + ", ".join(f'"{room}"' for room in ROOMS) + ")" in (ROOT / "hatch_build.py").read_text("utf-8")
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]
    targets = tool["hatch"]["build"]["targets"]
    links = [f"src/lpcodec/{room}" for room in ROOMS]
    assert set(ROOMS) <= set(targets["sdist"]["only-include"])
    assert set(ROOMS) <= set(targets["wheel"]["only-include"])
    assert {room: f"lpcodec/{room}" for room in ROOMS}.items() <= targets["wheel"]["sources"].items()
    assert tool["ruff"]["extend-exclude"] == links
    assert set(tool["ruff"]["lint"]["flake8-tidy-imports"]["banned-api"]) == set(ROOMS)
    assert set(ROOMS) <= set(tool["coverage"]["run"]["source"])
    assert set(tool["coverage"]["paths"]) == set(ROOMS)
    ignored = (ROOT / ".gitignore").read_text("utf-8").splitlines()
    assert {f"/{link}" for link in links} <= set(ignored)


def _parse(name: str) -> ast.Module:
    return ast.parse(SOURCES[name].read_text(encoding="utf-8"))


OPENERS = {
    "codec.picture": "the one loader",
    "codec.lossless": "pictures inside our own files",
    "codec.evaluation.codecs.pillow": "what the same module has just coded",
    "codec.picturefiles.saving": "what the same module has just coded",
}
"""The modules that may open pictures with Pillow, and what they open; all others go through the loader."""


@pytest.mark.parametrize("name", SOURCES)
def test_pictures_are_read_by_the_one_loader(name: str) -> None:
    calls = (node for node in ast.walk(_parse(name)) if isinstance(node, ast.Call))
    opened = [call.lineno for call in calls if ast.unparse(call.func).endswith("Image.open")]
    assert not opened or name in OPENERS, f"{name}, line {opened[0]}: read pictures with codec.picture.load"


WRITERS = {
    "codec.atomic": "the one writer",
    "codec.storage": "a file to be uploaded, in the folder for temporary files",
    "codec.bulk.manifest": "lines that are appended; one that was cut off is left out when it is read",
    "codec.training.log": "lines that are appended; one that was cut off is left out when it is read",
    "codec.evaluation.run.cache": "lines that are appended; one that was cut off is left out when it is read",
    "codec.evaluation.run.memory": "a switch of the kernel's",
    "codec.evaluation.codecs.command": "input of a command, in a temporary folder",
    "codec.evaluation.metrics.extra_metrics": "input of a command, in a temporary folder",
    "cli.streams": "a standard stream",
    "datasets.download": "a download that is continued; pooch checks and renames it",
    "datasets.unpack": "a staging folder, whose pictures are renamed when all are there",
    "datasets.record": "the set's record, renamed when it is whole; this floor is below the writer's",
}
"""The modules that may open files for writing, and why; all others go through codec/atomic.py or codec/storage.py."""
WRITING_MODE = re.compile(r"[wxa]b?\+?b?")


@pytest.mark.parametrize("name", SOURCES)
def test_files_are_written_by_the_one_writer(name: str) -> None:
    """So that a crash leaves no half-written file under a final name."""
    found = [call.lineno for call in ast.walk(_parse(name)) if isinstance(call, ast.Call) and _writes(call)]
    assert bool(found) == (name in WRITERS), (
        f"{name}, lines {found}: write with codec.atomic, or bring WRITERS up to date"
    )


def _writes(call: ast.Call) -> bool:
    """Whether a call opens a file for writing, or fills one, by its name."""
    owner, _, method = ast.unparse(call.func).rpartition(".")
    if method in ("write_text", "write_bytes", "copyfile", "fdopen"):
        return owner != "atomic"
    texts = [node.value for node in ast.walk(call) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return method == "open" and owner != "tarfile" and any(WRITING_MODE.fullmatch(text) for text in texts)


@pytest.mark.parametrize("name", SOURCES)
def test_modules_say_what_they_are_for_and_stay_short(name: str) -> None:
    source = SOURCES[name].read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(source)), f"{name} has no docstring"
    assert len(source.splitlines()) <= LONGEST_MODULE, f"{name} is over {LONGEST_MODULE} lines"


def test_packages_import_nothing_heavy() -> None:
    packages = [f"lpcodec.{name}" for name, path in SOURCES.items() if path.name == "__init__.py"]
    heavy = (
        "torch",
        "numpy",
        "PIL",
        "matplotlib",
        "pywt",
        "constriction",
        "safetensors",
        "typer",
        "rich",
        "scipy",
    )
    program = (
        f"import sys, importlib\nfor name in ['lpcodec', *{packages!r}]: importlib.import_module(name)\n"
        f"print(*[name for name in {heavy!r} if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []


def test_exit_codes_are_documented() -> None:
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \| (.*?) \|", (ROOT / "docs/errors.md").read_text("utf-8"), re.MULTILINE)
    assert {(int(code), name) for code, name, _ in rows} == {(code.value, code.name) for code in errors.ExitCode}
    classes = {int(code): set(re.findall(r"`(\w+)`", kinds)) for code, _, kinds in rows}
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, errors.LpcodecError) and kind is not errors.LpcodecError:
            assert kind.__name__ in classes[kind.exit_code], f"{kind.__name__} is missing in docs/errors.md"


def test_dependencies_are_documented_with_their_bounds() -> None:
    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    page = (ROOT / "docs/dependencies.md").read_text("utf-8")
    wanted = [
        *project["dependencies"],
        *(d for extra in project["optional-dependencies"].values() for d in extra),
    ]
    for requirement in wanted:
        name, bound = re.fullmatch(r"([\w.-]+)(.*)", requirement).groups()
        assert re.search(rf"^\|.*\b{re.escape(name)}\b.*`{re.escape(bound)}`", page, re.MULTILINE), requirement


def _project_files() -> list[Path]:
    """What git tracks, so that a virtual environment inside the clone is no part of it, whatever its name.

    Without git (an unpacked sdist): all that is in the project's folders.
    """
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    names = [name for name in listed.stdout.decode("utf-8", "surrogateescape").split("\0") if name]
    if listed.returncode == 0 and "pyproject.toml" in names:
        return [path for path in (ROOT / name for name in names) if path.is_file()]
    folders = (*ROOMS, "tests", "docs", "benchmarks")
    return [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]


def test_no_machine_paths() -> None:
    folders = "|".join(("work", "root", "home"))  # written apart, so that this file passes too
    pattern = re.compile(rf"(?<![\w.\-])/(?:{folders})/".encode())
    hits = []
    files = _project_files()
    assert Path(__file__).resolve() in files
    for path in files:
        lines = path.read_bytes().splitlines()
        hits += [
            f"{path.relative_to(ROOT)}:{n}: {line[:80]!r}" for n, line in enumerate(lines, 1) if pattern.search(line)
        ]
    assert hits == []


def test_the_wheel_is_complete(tmp_path: Path) -> None:
    wheel_builder = pytest.importorskip("hatchling.builders.wheel", reason="hatchling isn't installed")
    zipfile = pytest.importorskip("zipfile")
    built = next(wheel_builder.WheelBuilder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"]))
    with zipfile.ZipFile(built) as wheel:
        names = set(wheel.namelist())
    expected = {f"lpcodec/{path.relative_to(ROOT).as_posix()}" for path in SOURCES.values()}
    expected |= {f"lpcodec/codec/weights/{path.name}" for path in (ROOT / "codec/weights").glob("*.*")}
    expected |= {
        f"lpcodec/{path.relative_to(ROOT).as_posix()}"
        for room in ROOMS
        for path in (ROOT / room).rglob("*")
        if path.suffix in PACKAGE_DATA
    }
    expected |= {"lpcodec/py.typed", *(f"lpcodec/{path.name}" for path in (ROOT / "src/lpcodec").glob("*.py"))}
    assert expected <= names, sorted(expected - names)
    shared = [name for name in names if re.match(r"lpcodec-[^/]+\.data/data/share/", name)]
    assert len(shared) == 5, shared
    extra = {name for name in names - expected - {*shared} if not re.match(r"lpcodec-[^/]+\.dist-info/", name)}
    assert all(name.startswith("lpcodec/") for name in extra), sorted(extra)
