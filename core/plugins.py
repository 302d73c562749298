"""Is this plugin fit to run: discovery, import, validation of manifest, hooks and configuration.

It owns pluggy. What is not enabled is not imported; one broken plugin never hides another's problems. It never calls
a hook.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Final, cast

import click
import pluggy
from pydantic import ValidationError

from . import hookspecs
from .context import STATE
from .errors import ConfigurationError, Problem
from .events import MESSAGE, REACTION_ADDED, REACTION_REMOVED, READ, RECALL
from .feishu.lean_sdk import import_lean
from .manifest import Config, Manifest
from .settings import PluginSettings, advice, finding, origin
from .table import Table

GROUP: Final = "larkflock.plugins"

TYPES: Final[Mapping[str, tuple[str, ...]]] = {
    "on_message": (MESSAGE,),
    "on_reaction": (REACTION_ADDED, REACTION_REMOVED),
    "on_recall": (RECALL,),
    "on_read": (READ,),
}
"""The event types that each typed hook subscribes to."""


HookCall = Callable[..., Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a plugin can be had from; nothing of it is imported yet."""

    name: str
    module: str
    source: str
    """``bundled``, or the distribution's name and version."""


@dataclass(frozen=True, slots=True)
class Hook:
    """One implementation and the arguments it wants."""

    call: HookCall
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plugin that is fit to run."""

    manifest: Manifest
    config: Config
    hooks: Mapping[str, Hook]
    table_ids: Mapping[Table, str]
    """The Bitable table ID of each table that can be mirrored; empty = local only."""

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


def available() -> dict[str, Origin]:
    """Every plugin there is, by name; a bundled one wins over an installed package of the same name."""
    found: dict[str, Origin] = {}
    for entry in entry_points(group=GROUP):
        source = f"{entry.dist.name} {entry.dist.version}" if entry.dist else "installed"
        found.setdefault(entry.name, Origin(entry.name, entry.value, source))
    bundled = importlib.import_module("plugins")
    for module in pkgutil.iter_modules(bundled.__path__):
        found[module.name] = Origin(module.name, f"plugins.{module.name}", "bundled")
    return dict(sorted(found.items()))


def load(sections: Mapping[str, PluginSettings], env: Mapping[str, str], file: Path) -> list[Plugin]:
    """The enabled plugins in the order of ``file``. Raises ``ConfigurationError`` with the problems of all of them."""
    import_lean()
    there = available()
    problems: list[Problem] = []
    plugins: list[Plugin] = []
    for name, section in sections.items():
        where = f"{file} [plugins.{name}]"
        if not section.enabled:
            continue
        if name not in there:
            known = ", ".join(there) or "none"
            problems.append(Problem(where, f"there is no plugin {name!r}", f"install it, or use one of: {known}"))
        else:
            try:
                plugins.append(_load(there[name], section, env, where))
            except ConfigurationError as error:
                problems += error.problems
    if problems:
        raise ConfigurationError(problems)
    return plugins


def load_one(origin: Origin) -> Manifest:
    """The manifest of a plugin, for showing it. Raises ``ConfigurationError``."""
    return _manifest(origin, _imported(origin, origin.module), origin.module)


def command_of(plugin: Plugin) -> click.Command:
    """The command that the manifest names. Raises ``ConfigurationError``."""
    path = plugin.manifest.commands
    module, _, attribute = path.partition(":")
    try:
        command = getattr(importlib.import_module(module), attribute)
    except (Exception, SystemExit) as error:  # A plugin's module may raise anything here.
        command, reason = None, f"{type(error).__name__}: {error}"
    else:
        reason = "it is no click command"
    if not isinstance(command, click.Command):
        fix = "the author has to name a click command there"
        raise ConfigurationError([Problem(f"plugin {plugin.name}", f"commands={path!r}: {reason}", fix)])
    return command


def _load(origin: Origin, section: PluginSettings, env: Mapping[str, str], where: str) -> Plugin:
    module = _imported(origin, where)
    manifest = _manifest(origin, module, where)
    problems: list[Problem] = []
    hooks = _hooks(manifest, module, where, problems)
    config = _config(manifest, section, env, where, problems)
    by_name = {table.name: table for table in manifest.tables if table.setting}
    for name in [name for name in section.tables if name not in by_name]:
        known = ", ".join(by_name) or "none"
        problems.append(Problem(where, f"tables.{name}: the plugin mirrors no such table", f"it mirrors: {known}"))
    if problems or config is None:
        raise ConfigurationError(problems)
    ids = {table: section.tables.get(name) or env.get(table.setting, "") for name, table in by_name.items()}
    return Plugin(manifest, config, hooks, ids)


def _imported(origin: Origin, where: str) -> ModuleType:
    try:
        return importlib.import_module(origin.module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # A plugin may raise anything here, SystemExit too.
        what = f"{origin.module} cannot be imported: {type(error).__name__}: {error}"
        fix = f"repair the plugin ({origin.source}), or set enabled = false"
        raise ConfigurationError([Problem(where, what, fix)]) from error


def _manifest(origin: Origin, module: ModuleType, where: str) -> Manifest:
    manifest = getattr(module, "manifest", None)
    if not isinstance(manifest, Manifest):
        fix = "the author has to add `manifest = Manifest(name=…, summary=…)` to the module"
        raise ConfigurationError([Problem(where, f"{origin.module} has no manifest", fix)])
    if manifest.name != origin.name:
        what = f"the manifest of {origin.module} says its name is {manifest.name!r}"
        raise ConfigurationError([Problem(where, what, f"use [plugins.{manifest.name}], or ask the author to mend it")])
    return manifest


def _hooks(manifest: Manifest, module: ModuleType, where: str, problems: list[Problem]) -> dict[str, Hook]:
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(module, manifest.name)
        manager.check_pending()
    except pluggy.PluginValidationError as error:
        problems.append(
            Problem(where, str(error), "the author has to mend the hook; see docs/plugins.md for all hooks")
        )
        return {}
    hooks: dict[str, Hook] = {}
    for caller in manager.get_hookcallers(module) or ():
        for implementation in caller.get_hookimpls():
            if not inspect.iscoroutinefunction(implementation.function):
                fix = "the author has to write `async def`"
                problems.append(Problem(where, f"hook {caller.name} is not asynchronous", fix))
            hooks[caller.name] = Hook(cast("HookCall", implementation.function), tuple(implementation.argnames))
    if ("on_event" in hooks) != bool(manifest.events):
        fix = "the author has to give both: the hook on_event and events=(…) in the manifest"
        problems.append(Problem(where, "on_event and the manifest's events do not belong together", fix))
    if ("on_schedule" in hooks) != bool(manifest.schedules):
        fix = "the author has to give both: the hook on_schedule and schedules=(…) in the manifest"
        problems.append(Problem(where, "on_schedule and the manifest's schedules do not belong together", fix))
    return hooks


def _config(
    manifest: Manifest, section: PluginSettings, env: Mapping[str, str], where: str, problems: list[Problem]
) -> Config | None:
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    variables: dict[str, str] = {}
    for name, field in manifest.config.model_fields.items():
        extra = field.json_schema_extra
        variable = str(extra.get("env", "")) if isinstance(extra, dict) else ""
        if variable and variable in env and name not in section.config:
            values[name] = env[variable]
            sources[name], variables[name] = origin(variable), variable
    values.update(section.config)
    try:
        return manifest.config.model_validate(values)
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_input=False):
            name = ".".join(str(part) for part in detail["loc"])
            what = f"{name}: {finding(detail)}" if name else finding(detail)
            fix = f"correct {variables[name]}" if name in variables else advice(detail)
            problems.append(Problem(sources.get(name, f"{where} config"), what, fix))
    except Exception as error:  # A plugin's own validators may raise anything.
        what = f"cannot be checked: {type(error).__name__}: {error}"
        problems.append(Problem(f"{where} config", what, "the author has to mend the configuration model"))
    return None
