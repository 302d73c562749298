"""Third-party plugin packages, made on the fly: a module and the metadata that installing it would leave."""

from __future__ import annotations

import shutil
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

GOOD = """\
from core import Manifest, Message, hookimpl

manifest = Manifest(name="{name}", summary="Wishes happy birthday.")


@hookimpl
async def on_message(message: Message) -> None: ...
"""


def install(site: Path, name: str, source: str = "", *, module: str = "", version: str = "1.2.3") -> Path:
    """Install the plugin ``name`` as a package of its own below ``site``; its module's file."""
    module = module or f"larkflock_{name}"
    file = site / f"{module}.py"
    file.write_text(source or GOOD.format(name=name), "utf-8")
    metadata = site / f"larkflock_{name}-{version}.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: larkflock-{name}\nVersion: {version}\n")
    (metadata / "entry_points.txt").write_text(f"[larkflock.plugins]\n{name} = {module}\n")
    return file


@contextmanager
def on_path(site: Path) -> Iterator[Path]:
    """``site`` is a place that packages are imported from; what was imported from there is forgotten afterwards."""
    site.mkdir(exist_ok=True)
    sys.path.insert(0, str(site))
    try:
        yield site
    finally:
        sys.path.remove(str(site))
        for name, module in list(sys.modules.items()):
            if str(site) in str(getattr(module, "__file__", None)):
                del sys.modules[name]


def install_source(site: Path, folder: Path) -> dict[str, str]:
    """What installing the package in ``folder`` leaves below ``site``; its entry points, by plugin."""
    project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
    entries: dict[str, str] = project["entry-points"]["larkflock.plugins"]
    for file in folder.glob("*.py"):
        shutil.copy(file, site)
    metadata = site / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    metadata.mkdir()
    required = "".join(f"Requires-Dist: {one}\n" for one in project["dependencies"])
    header = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (metadata / "METADATA").write_text(header + required)
    lines = "".join(f"{name} = {module}\n" for name, module in entries.items())
    (metadata / "entry_points.txt").write_text(f"[larkflock.plugins]\n{lines}")
    return entries
