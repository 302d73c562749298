"""Is this plugin fit to run: import and examination of every enabled one, the broken ones set aside.

What is not enabled is not imported; one broken plugin never hides another's problems. It never calls a hook.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Final

import click

from ..context import STATE
from ..errors import ConfigurationError, Problem
from ..events import CARD_ACTION, MESSAGE, REACTION_ADDED, REACTION_REMOVED, READ, RECALL
from ..feishu.lean_sdk import import_lean
from ..manifest import Config, Manifest
from ..settings import PluginSettings
from ..table import Table
from .fitness import Examination, Hook, config_of, hooks_of, manifest_of
from .importing import imported, place_of
from .packages import BUNDLED, Origin, available

TYPES: Final[Mapping[str, tuple[str, ...]]] = {
    "on_message": (MESSAGE,),
    "on_reaction": (REACTION_ADDED, REACTION_REMOVED),
    "on_recall": (RECALL,),
    "on_read": (READ,),
    "on_card": (CARD_ACTION,),
}
"""The event types that each typed hook subscribes to."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plugin that is fit to run."""

    manifest: Manifest
    config: Config
    hooks: Mapping[str, Hook]
    table_ids: Mapping[Table, str]
    """The Bitable table ID of each table that can be mirrored; empty = local only."""
    source: str = field(default=BUNDLED, compare=False)
    """``bundled``, or the distribution's name and version."""
    remarks: tuple[Problem, ...] = field(default=(), compare=False)
    """What should be put right although it runs."""

    @property
    def name(self) -> str:
        """The name it is enabled by."""
        return self.manifest.name

    @property
    def tables(self) -> tuple[Table, ...]:
        """Its declared tables and its state."""
        return (*self.manifest.tables, STATE)

    @property
    def types(self) -> tuple[str, ...]:
        """The event types it is handed."""
        listed = self.manifest.events if "on_event" in self.hooks else ()
        return (*(kind for hook in self.hooks for kind in TYPES.get(hook, ())), *listed)


@dataclass(frozen=True, slots=True)
class Unfit:
    """A plugin that is enabled and cannot run."""

    name: str
    source: str
    """``bundled``, the distribution's name and version, or ``not installed``."""
    problems: tuple[Problem, ...]

    def __str__(self) -> str:
        told = "; ".join(f"{problem.what} ({problem.fix})" for problem in self.problems)
        return f"{self.problems[0].where}: {told}"


@dataclass(frozen=True, slots=True)
class Loaded:
    """The enabled plugins, in the order of the file."""

    plugins: tuple[Plugin, ...]
    unfit: tuple[Unfit, ...] = ()

    @property
    def problems(self) -> list[Problem]:
        """What is wrong with those that cannot run."""
        return [problem for one in self.unfit for problem in one.problems]


def load_all(
    sections: Mapping[str, PluginSettings],
    env: Mapping[str, str],
    file: Path,
    there: Mapping[str, Origin] | None = None,
) -> Loaded:
    """The plugins enabled in ``file``; those that are broken are set aside, and nothing is raised for them.

    ``there`` are the plugins that are installed, where the caller has looked already.
    """
    import_lean()
    there = available() if there is None else there
    plugins: list[Plugin] = []
    unfit: list[Unfit] = []
    for name, section in sections.items():
        where = f"{file} [plugins.{name}]"
        if section.enabled and name not in there:
            known = ", ".join(there) or "none"
            problem = Problem(where, f"there is no plugin {name!r}", f"install it, or use one of: {known}")
            unfit.append(Unfit(name, "not installed", (problem,)))
        elif section.enabled:
            outcome = _examined(there[name], section, env, where)
            if isinstance(outcome, Plugin):
                plugins.append(outcome)
            else:
                unfit.append(outcome)
    return Loaded(tuple(plugins), tuple(unfit))


def load(sections: Mapping[str, PluginSettings], env: Mapping[str, str], file: Path) -> list[Plugin]:
    """The plugins enabled in ``file``, where all are needed. Raises ``ConfigurationError`` with every problem."""
    loaded = load_all(sections, env, file)
    if loaded.unfit:
        raise ConfigurationError(loaded.problems)
    return list(loaded.plugins)


def load_from(origin: Origin, section: PluginSettings, where: str) -> Plugin:
    """The plugin that is there, enabled or not. Raises ``ConfigurationError``."""
    outcome = _examined(origin, section, {}, where)
    if isinstance(outcome, Unfit):
        raise ConfigurationError(outcome.problems)
    return outcome


def command_of(plugin: Plugin) -> click.Command:
    """The command that the manifest names. Raises ``ConfigurationError``."""
    path = plugin.manifest.commands
    module, _, attribute = path.partition(":")
    try:
        command = getattr(imported(module, plugin.name).module, attribute)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # A plugin's module may raise anything here.
        command, reason = None, f"{type(error).__name__}: {error}"
    else:
        reason = "it is no click command"
    if not isinstance(command, click.Command):
        fix = "the author has to name a click command there"
        raise ConfigurationError([Problem(f"plugin {plugin.name}", f"commands={path!r}: {reason}", fix)])
    return command


def _examined(origin: Origin, section: PluginSettings, env: Mapping[str, str], where: str) -> Plugin | Unfit:
    found = Examination(where, origin.author, origin.obstacles(where))
    plugin: Plugin | None = None
    try:
        if not found.problems:
            plugin = _load(origin, section, env, found)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # Whatever else a stranger thought of.
        found.blame(f"{origin.module} cannot be examined: {type(error).__name__}: {error}", "mend that")
    return Unfit(origin.name, origin.source, tuple(found.problems)) if plugin is None or found.problems else plugin


def _load(origin: Origin, section: PluginSettings, env: Mapping[str, str], found: Examination) -> Plugin | None:
    outcome = _imported(origin, found)
    manifest = manifest_of(outcome[0], found) if outcome else None
    if outcome is None or manifest is None:
        return None
    module, remarks = outcome
    if manifest.name != origin.name:
        _misnamed(origin, manifest.name, found)
        return None
    hooks = hooks_of(manifest, module, found)
    config = config_of(manifest, section.config, env, found)
    by_name = {table.name: table for table in manifest.tables if table.setting}
    for name in [name for name in section.tables if name not in by_name]:
        known = ", ".join(by_name) or "none"
        what = f"tables.{name}: the plugin mirrors no such table"
        found.problems.append(Problem(found.where, what, f"it mirrors: {known}"))
    if config is None:
        return None
    ids = {table: section.tables.get(name) or env.get(table.setting, "") for name, table in by_name.items()}
    return Plugin(manifest, config, hooks, ids, origin.source, remarks)


def _imported(origin: Origin, found: Examination) -> tuple[ModuleType, tuple[Problem, ...]] | None:
    try:
        outcome = imported(origin.module, origin.name)
    except KeyboardInterrupt:  # It is the user's.
        raise
    except BaseException as error:  # A plugin may raise anything here, SystemExit too.
        place = place_of(error)
        what = f"{origin.module} cannot be imported: {type(error).__name__}: {error}{f' ({place})' if place else ''}"
        found.problems.append(
            Problem(found.where, what, f"repair the plugin ({origin.source}), or set enabled = false")
        )
        return None
    remarks = [
        Problem(found.where, f"{origin.module} {what}", f"{origin.author} has to mend that") for what in outcome.remarks
    ]
    for rival in origin.rivals:
        what = f"{rival.source} brings a plugin of that name, too ({rival.module}); the bundled one runs"
        remarks.append(Problem(found.where, what, f"uninstall it, or ask {rival.author} for another name"))
    return outcome.module, tuple(remarks)


def _misnamed(origin: Origin, name: str, found: Examination) -> None:
    there = available().get(name)
    if there is not None and there.module == origin.module:
        what = f"{origin.module} ({origin.source}) is registered as {origin.name!r} and as {name!r}, its name"
        found.problems.append(Problem(found.where, what, f"use [plugins.{name}] alone"))
    else:
        what = f"the manifest of {origin.module} says its name is {name!r}"
        fix = f"use [plugins.{name}], or ask {origin.author} to mend it"
        found.problems.append(Problem(found.where, what, fix))
