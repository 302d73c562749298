"""A new plugin: a complete package, written from templates. It installs nothing and overwrites nothing."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parseaddr
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path, PurePosixPath
from typing import Any, Final

from ..errors import LarkflockError

TEMPLATE: Final = "template"
SUFFIX: Final = ".jinja"
TOP: Final = PurePosixPath()
LICENSES: Final = ("MIT", "BSD-3-Clause", "none")


class NoSuchName(LarkflockError):
    """A plugin cannot be called that; the message says what it could be called."""


class AlreadyThere(LarkflockError):
    """Where the package would be written there is something; nothing was changed."""


@dataclass(frozen=True, slots=True)
class NewPlugin:
    """What a new package is called, and what it begins with."""

    plugin: str
    """The name in ``plugins.toml``."""
    author: str = ""
    """``Ann <ann@example.com>``, or a name."""
    license: str = "MIT"
    table: bool = True

    @property
    def folder(self) -> str:
        """The folder it is written to."""
        return self.plugin.replace("_", "-")

    @property
    def distribution(self) -> str:
        """The name on a package index."""
        return f"larkflock-{self.folder}"

    @property
    def module(self) -> str:
        """What is imported; prefixed, as a module of a plain word is easily somebody else's."""
        return f"larkflock_{self.plugin}"

    def write(self, into: Path, *, version: str, year: int) -> Path:
        """Write the package to a folder of its own below ``into``; the folder. Raises ``AlreadyThere``, ``OSError``.

        It needs larkflock ``version`` or newer. It appears whole or not at all.
        """
        target = into / self.folder
        if target.exists() or target.is_symlink():
            raise AlreadyThere(f"{target} is there already and is left as it is; choose another name, or --into")
        into.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=into, prefix=".new-") as making:
            made = Path(making) / self.folder
            for place, text in self._files(version, year):
                file = made / place
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, "utf-8")
            shutil.move(made, target)
        return target

    def _files(self, version: str, year: int) -> Iterator[tuple[PurePosixPath, str]]:
        import tomlkit  # Other commands need not wait for these two.
        from jinja2 import Environment, StrictUndefined

        environment = Environment(  # noqa: S701  # It makes files of source text, no web pages.
            trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True, undefined=StrictUndefined
        )
        environment.filters["toml"] = lambda text: tomlkit.string(text).as_string()
        values = self._values(version, year)
        for place, template in _templates(files(__package__) / TEMPLATE):
            if self._wanted(place):
                yield self._placed(place), environment.from_string(template).render(values)

    def _values(self, version: str, year: int) -> Mapping[str, Any]:
        name, email = parseaddr(self.author) if "@" in self.author else (self.author, "")
        return {
            "plugin": self.plugin,
            "distribution": self.distribution,
            "module": self.module,
            "setting": self.plugin.upper(),
            "table": self.table,
            "license": "" if self.license == "none" else self.license,
            "author": self.author,
            "author_name": name or email,
            "author_email": email,
            "holder": name or email or f"the authors of {self.distribution}",
            "version": version,
            "year": year,
        }

    def _wanted(self, place: PurePosixPath) -> bool:
        return not (place.name == "LICENSE" and self.license == "none") and not (
            place.name == "tables.py" and not self.table
        )

    def _placed(self, place: PurePosixPath) -> PurePosixPath:
        named = {"gitignore": ".gitignore", "github": ".github", "module": self.module}
        named["test_module.py"] = f"test_{self.plugin}.py"
        return PurePosixPath(*(named.get(part, part) for part in place.parts))


def checked_name(given: str, taken: Mapping[str, str], commands: Collection[str] = ()) -> str:
    """The plugin's name for what somebody typed: ``check-in`` is ``check_in``. Raises ``NoSuchName``.

    ``taken`` are the names of plugins that are there, and where they come from; ``commands`` are the program's own,
    behind which those of a plugin would be hidden.
    """
    from ..manifest import NAME, RESERVED  # Help is shown without it: that has to be quick.

    name = given.replace("-", "_")
    if not NAME.match(name) or "__" in name or name.endswith("_"):
        raise NoSuchName(
            f"{given!r} is no name for a plugin: lower-case letters, digits and hyphens, beginning with a letter, at "
            f"most 40{_suggestion(given)}. Titles of tables and columns may be in any language."
        )
    if name == RESERVED:
        raise NoSuchName(f"{given!r} is the kernel's own name; choose another, such as my-{given}")
    if name in commands:
        raise NoSuchName(f"`python -m core {name}` is a command of the program; choose another, such as my-{given}")
    if name in taken:
        raise NoSuchName(f"there is a plugin {name!r} already ({taken[name]}); choose another, such as my-{given}")
    return name


def _suggestion(given: str) -> str:
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", given.strip())
    words = re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-0123456789")
    return f"; for example {words[:40].rstrip('-')}" if words else "; for example check-in"


def _templates(place: Traversable, below: PurePosixPath = TOP) -> Iterator[tuple[PurePosixPath, str]]:
    for entry in sorted(place.iterdir(), key=lambda one: one.name):
        if entry.is_dir():
            yield from _templates(entry, below / entry.name)
        elif entry.name.endswith(SUFFIX):
            yield below / entry.name.removesuffix(SUFFIX), entry.read_text("utf-8")
