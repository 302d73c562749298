"""The fifteen broken packages of ``tests/bad_plugins``, installed."""

from __future__ import annotations

from pathlib import Path

from plugin_package import install_source

FOLDER = Path(__file__).parents[1] / "bad_plugins"
KINDS = tuple(sorted(path.name for path in FOLDER.iterdir() if path.is_dir()))


def install_bad(site: Path, *kinds: str) -> list[str]:
    """Install the packages of these kinds below ``site``; the plugins they register."""
    names: dict[str, str] = {}
    for kind in kinds:
        for project in sorted((FOLDER / kind).rglob("pyproject.toml")):
            names |= install_source(site, project.parent)
    return list(names)


def enabling(*names: str) -> str:
    """A ``plugins.toml``."""
    return "".join(f"[plugins.{name}]\nenabled = true\n\n" for name in names)
