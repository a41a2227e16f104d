"""Links the top-level folders into src/lpcodec, so that an editable install (or a bare checkout) imports them.

As a build hook it acts only on editable installs; as a script (`python hatch_build.py`) it makes the links in a
checkout that is used without an install. The links are ignored by git; a wheel maps the folders by itself.
"""

import sys
from pathlib import Path
from typing import Any

PARTS = ("codec", "entropy", "cli", "datasets")


def link_parts(root: Path) -> None:
    """Make `src/lpcodec/<part> -> <part>` for every part that has no link yet (a junction on Windows)."""
    for part in PARTS:
        link, target = root / "src" / "lpcodec" / part, root / part
        if link.exists():
            continue
        if sys.platform == "win32":
            import _winapi

            _winapi.CreateJunction(str(target), str(link))
        else:
            link.symlink_to(Path("..") / ".." / part, target_is_directory=True)


try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ModuleNotFoundError:
    pass
else:

    class EditableLinks(BuildHookInterface):  # type: ignore[misc, type-arg]
        """hatchling's hook: called for each build, acts on version "editable"."""

        def initialize(self, version: str, build_data: dict[str, Any]) -> None:
            if version == "editable":
                link_parts(Path(self.root))


if __name__ == "__main__":
    link_parts(Path(__file__).resolve().parent)
