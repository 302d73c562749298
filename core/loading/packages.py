"""Which plugins there are: the bundled ones, and those that installed packages register. It imports none of them."""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from importlib.metadata import Distribution, EntryPoint, distributions
from typing import Final

from .. import __version__
from ..errors import Problem

GROUP: Final = "larkflock.plugins"
PROJECT: Final = "larkflock"
BUNDLED: Final = "bundled"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a plugin can be had from; nothing of it is imported yet."""

    name: str
    module: str
    source: str
    """``bundled``, or the distribution's name and version."""
    requires: tuple[str, ...] = field(default=(), repr=False)
    """What the distribution requires, as its metadata says."""
    rivals: tuple[Origin, ...] = ()
    """Other modules that are registered by the same name."""

    @property
    def author(self) -> str:
        """Who has to mend it."""
        return "the author" if self.source == BUNDLED else f"the author of {self.source}"

    def obstacles(self, where: str) -> list[Problem]:
        """Why it is not even to be imported."""
        problems = []
        if self.rivals and self.source != BUNDLED:
            both = (self, *self.rivals)
            sources = list(dict.fromkeys(one.source for one in both))
            what = f"it is registered more than once: {', '.join(f'{one.module} of {one.source}' for one in both)}"
            fix = f"uninstall {' or '.join(sources)}" if len(sources) > 1 else f"{self.author} has to register one"
            problems.append(Problem(where, what, fix))
        unmet = self._unmet()
        if unmet:
            what = f"{self.source} needs {unmet}, and this is {PROJECT} {__version__}"
            fix = f"install {unmet}, or a version of {self.source.split()[0]} made for {PROJECT} {__version__}"
            problems.append(Problem(where, what, fix))
        return problems

    def _unmet(self) -> str:
        """The requirement that this version of the program does not meet, or empty."""
        lines = [line for line in self.requires if line.lower().startswith(PROJECT)]
        if not lines:
            return ""
        from packaging.requirements import InvalidRequirement, Requirement

        for line in lines:
            with contextlib.suppress(InvalidRequirement):
                required = Requirement(line)
                meant = required.name.lower() == PROJECT and (required.marker is None or required.marker.evaluate())
                if meant and not required.specifier.contains(__version__, prereleases=True):
                    return f"{PROJECT}{required.specifier}"
        return ""


def available() -> dict[str, Origin]:
    """Every plugin there is, by name; a bundled one wins over an installed package of the same name."""
    found: dict[str, Origin] = {}
    for source, requires, entry in _registered():
        origin = Origin(entry.name, entry.value.partition(":")[0], source, requires)
        there = found.setdefault(entry.name, origin)
        if origin.module not in (there.module, *(rival.module for rival in there.rivals)):
            found[entry.name] = replace(there, rivals=(*there.rivals, origin))
    bundled = importlib.import_module("plugins")
    for module in pkgutil.iter_modules(bundled.__path__):
        hidden = found.get(module.name)
        rivals = (hidden, *hidden.rivals) if hidden else ()
        found[module.name] = Origin(module.name, f"plugins.{module.name}", BUNDLED, rivals=rivals)
    return dict(sorted(found.items()))


def _registered() -> Iterator[tuple[str, tuple[str, ...], EntryPoint]]:
    """The entry points of every installed distribution, with its name and what it requires."""
    seen: set[str] = set()
    for distribution in distributions():
        registered = _of_distribution(distribution)
        if registered and distribution.name not in seen:  # Of one that is there twice, the first gets imported.
            seen.add(distribution.name)
            yield from registered


def _of_distribution(distribution: Distribution) -> list[tuple[str, tuple[str, ...], EntryPoint]]:
    try:
        entries = [entry for entry in distribution.entry_points if entry.group == GROUP]
        if not entries:  # Of most of them nothing else is read.
            return []
        source, requires = f"{distribution.name} {distribution.version}", tuple(distribution.requires or ())
    except Exception:  # Damaged metadata are nobody's plugin, and must not hide the others.
        return []
    return [(source, requires, entry) for entry in entries]
