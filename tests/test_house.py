"""The house rules: floors, module sizes, light imports, exit codes, no machine paths, a complete wheel."""

import ast
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

# A room (or a part of one: the longest name that fits counts) and what of ours it may import.
FLOORS: dict[str, frozenset[str]] = {
    "cli": frozenset({"cli", "codec", "datasets"}),
    "codec": frozenset({"codec", "entropy"}),
    "codec.training": frozenset({"codec", "entropy", "datasets"}),
    "codec.families": frozenset({"codec", "entropy", "datasets"}),
    "codec.evaluation": frozenset({"codec", "entropy", "datasets"}),
    "entropy": frozenset({"entropy"}),
    "datasets": frozenset({"datasets"}),
}


def _sources() -> dict[str, Path]:
    """Every module of the package: dotted name without `lpcodec.` -> file."""
    found = {}
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


SOURCES = _sources()


def _own_imports(tree: ast.AST) -> set[str]:
    """What of ours is imported below `tree`: dotted names without `lpcodec.`, down to the module."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports are absolute"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                names.add(whole if whole.removeprefix("lpcodec.") in SOURCES else str(node.module))
    return {name.removeprefix("lpcodec.") for name in names if name.startswith("lpcodec.")}


def _runs_at_import(tree: ast.Module) -> ast.Module:
    """`tree` without function bodies and without `if TYPE_CHECKING` blocks."""

    class Strip(ast.NodeTransformer):
        def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
            return None

        def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
            return None

        def visit_If(self, node: ast.If) -> ast.AST | None:
            if ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING"):
                return None
            return self.generic_visit(node)

    return ast.fix_missing_locations(Strip().visit(tree))


def _parse(name: str) -> ast.Module:
    return ast.parse(SOURCES[name].read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", SOURCES)
def test_imports_go_down_only(name: str) -> None:
    floor = max((room for room in FLOORS if f"{name}.".startswith(f"{room}.")), key=len)
    for imported in _own_imports(_parse(name)):
        room = imported.split(".")[0]
        assert room in FLOORS[floor], f"{name} imports {imported}; {floor} may import {sorted(FLOORS[floor])}"


def test_no_circles_at_import_time() -> None:
    graph = {name: _own_imports(_runs_at_import(_parse(name))) & SOURCES.keys() for name in SOURCES}
    done: set[str] = set()

    def walk(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path[path.index(name) :], name))
        if name not in done:
            for imported in sorted(graph[name]):
                walk(imported, (*path, name))
            done.add(name)

    for name in graph:
        walk(name, ())


OPENERS = {
    "codec.picture": "the one loader",
    "codec.lossless": "pictures inside our own files",
    "codec.evaluation.codecs.pillow": "what the same module has just coded",
}
"""The modules that may open pictures with Pillow, and what they open; all others go through the loader."""


@pytest.mark.parametrize("name", SOURCES)
def test_pictures_are_read_by_the_one_loader(name: str) -> None:
    calls = (node for node in ast.walk(_parse(name)) if isinstance(node, ast.Call))
    opened = [call.lineno for call in calls if ast.unparse(call.func).endswith("Image.open")]
    assert not opened or name in OPENERS, f"{name}, line {opened[0]}: read pictures with codec.picture.load"


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
