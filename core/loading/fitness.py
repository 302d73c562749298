"""What may be wrong with a plugin's manifest, hooks and configuration: all of it, each as a problem with its remedy.

It never imports anything, and never calls a hook.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Final, get_args, get_origin, get_type_hints

import pluggy
from pydantic import ValidationError

from .. import hookspecs
from ..errors import Problem
from ..manifest import Config, Manifest
from ..settings import advice, finding, origin

HookCall = Callable[..., Awaitable[None]]
PARTNERS: Final = {"on_event": "events", "on_schedule": "schedules"}
"""Hooks that go together with a field of the manifest."""


@dataclass(frozen=True, slots=True)
class Hook:
    """One implementation and the arguments it wants."""

    call: HookCall
    arguments: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Examination:
    """One plugin under examination: whose it is, where it is enabled, and what was found."""

    where: str
    author: str
    problems: list[Problem] = field(default_factory=list)

    def blame(self, what: str, fix: str) -> None:
        """The author has to ``fix`` it."""
        self.problems.append(Problem(self.where, what, f"{self.author} has to {fix}"))


def manifest_of(module: ModuleType, found: Examination) -> Manifest | None:
    """The module's manifest, when it is one of the right shape."""
    manifest = getattr(module, "manifest", None)
    if not isinstance(manifest, Manifest):
        found.blame(f"{module.__name__} has no manifest", "add `manifest = Manifest(name=…, summary=…)` to the module")
        return None
    wrong = [name for name, hint in get_type_hints(Manifest).items() if not _fits(getattr(manifest, name), hint)]
    for name in wrong:
        if name == "config":
            what = f"the manifest's config is {_shown(manifest.config)}, no configuration model"
            found.blame(what, "derive it from core.Config, and to give the class itself")
        else:
            what = f"the manifest's {name} is {_shown(getattr(manifest, name))}"
            found.blame(what, f"give a {'text' if name in ('summary', 'commands') else 'tuple, such as (…,)'}")
    return None if wrong else manifest


def hooks_of(manifest: Manifest, module: ModuleType, found: Examination) -> dict[str, Hook]:
    """The module's hooks by name."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    known = {name: _arguments(spec) for name, spec in vars(hookspecs).items() if hasattr(spec, "larkflock_spec")}
    hooks: dict[str, Hook] = {}
    for name in dir(module):
        options = manager.parse_hookimpl_opts(module, name)
        if options is None:
            continue
        function = getattr(module, name)
        if name not in known:
            close = difflib.get_close_matches(name, known, 1) or known
            found.blame(f"there is no hook {name}", f"name it {' or '.join(close)}")
            continue
        wanted = _arguments(function)
        unknown = [argument for argument in wanted if argument not in known[name]]
        if unknown:
            there = ", ".join(known[name])
            found.blame(f"hook {name} wants {', '.join(unknown)}", f"use the arguments it can have: {there}")
        if any(one.kind is one.POSITIONAL_ONLY for one in inspect.signature(function).parameters.values()):
            found.blame(f"hook {name} takes arguments by their place only", "remove the / from them")
        if any(options.values()):
            found.blame(f"hook {name} is marked with options", "write @hookimpl without any")
        if not inspect.iscoroutinefunction(function):
            found.blame(f"hook {name} is not asynchronous", "write `async def`")
        hooks[name] = Hook(function, wanted)
    for hook, partner in PARTNERS.items():
        if (hook in hooks) != bool(getattr(manifest, partner)):
            what = f"{hook} and the manifest's {partner} do not belong together"
            found.blame(what, f"give both: the hook {hook} and {partner}=(…) in the manifest")
    return hooks


def config_of(
    manifest: Manifest, given: Mapping[str, Any], env: Mapping[str, str], found: Examination
) -> Config | None:
    """The plugin's configuration: what is ``given`` in the file, then the environment, then its defaults."""
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    variables: dict[str, str] = {}
    for name, option in manifest.config.model_fields.items():
        extra = option.json_schema_extra
        variable = str(extra.get("env", "")) if isinstance(extra, dict) else ""
        if variable and variable in env and name not in given:
            values[name] = env[variable]
            sources[name], variables[name] = origin(variable), variable
    values.update(given)
    try:
        return manifest.config.model_validate(values)
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_input=False):
            name = ".".join(str(part) for part in detail["loc"])
            what = f"{name}: {finding(detail)}" if name else finding(detail)
            fix = f"correct {variables[name]}" if name in variables else advice(detail)
            if name and detail["loc"][0] not in values and detail["type"] != "missing":
                what, fix = f"the default of {what}", f"{found.author} has to mend it; until then set {name} yourself"
            found.problems.append(Problem(sources.get(name, f"{found.where} config"), what, fix))
    except Exception as error:  # A plugin's own validators may raise anything.
        what = f"cannot be checked: {type(error).__name__}: {error}"
        fix = f"{found.author} has to mend the configuration model"
        found.problems.append(Problem(f"{found.where} config", what, fix))
    return None


def _arguments(function: Callable[..., Any]) -> tuple[str, ...]:
    """The names of the arguments that have to be given."""
    parameters = inspect.signature(function).parameters.values()
    named = [one for one in parameters if one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)]
    return tuple(one.name for one in named if one.default is one.empty)


def _fits(value: Any, hint: Any) -> bool:
    if get_origin(hint) is tuple:
        return isinstance(value, tuple) and all(isinstance(one, get_args(hint)[0]) for one in value)
    if get_origin(hint) is type:
        return isinstance(value, type) and issubclass(value, get_args(hint)[0])
    return isinstance(value, get_origin(hint) or hint)


def _shown(value: Any) -> str:
    return f"{value!r}"[:80]
