"""What a plugin declares about itself, as data that is read before any of its code is called."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from .table import Table

RESERVED: Final = "attachment"
NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")
API: Final = re.compile(r"(GET|POST|PUT|PATCH|DELETE) /open-apis/\S+\Z")
FULL_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}\.[a-z][a-z0-9_]*\Z")


class Config(BaseModel):
    """The base of a plugin's configuration: frozen, and an unknown option is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


def env(name: str, default: Any, **constraints: Any) -> Any:
    """A configuration field that may also come from the environment (or ``.env``) as ``name``.

    ``plugins.toml`` wins over the environment, the environment over ``default``. ``constraints`` as of pydantic's
    ``Field`` (``ge``, ``le``, ``description`` …).
    """
    return Field(default, json_schema_extra={"env": name}, **constraints)


@dataclass(frozen=True, slots=True)
class Schedule:
    """A timer that the plugin may arm with ``ctx.schedule(name, at=…)``."""

    name: str
    timeout: float = 30.0
    """Seconds one call of ``on_schedule`` may take; the plugin's events wait meanwhile."""
    replayed: bool = False
    """It needs nothing but the plugin's tables and the time: a replay calls it at its times."""


@dataclass(frozen=True)
class Manifest:
    """A plugin's front page. What it does not name, the plugin cannot use (``Undeclared``)."""

    name: str
    summary: str
    """One sentence for ``core plugins``."""
    permissions: tuple[str, ...] = ()
    """Scopes that have to be granted to the app, e.g. ``im:message.group_msg``."""
    apis: tuple[str, ...] = ()
    """APIs that the plugin calls although this version knows no scope of them: ``METHOD /open-apis/…/:placeholder``."""
    tables: tuple[Table, ...] = ()
    reads: tuple[str, ...] = ()
    """Tables of other plugins that ``ctx.read`` may be asked for, named ``<plugin>.<table>``."""
    config: type[Config] = Config
    events: tuple[str, ...] = ()
    """Event types for ``on_event``; those of the typed hooks need not be listed."""
    publishes: tuple[str, ...] = ()
    """Event types the plugin makes itself, named ``<plugin>.…``."""
    schedules: tuple[Schedule, ...] = ()
    """The timers of ``on_schedule``."""
    carried: tuple[str, ...] = ()
    """Tables, perhaps ``state``, that hold what no event tells: a replay goes on with them as they are."""
    commands: str = ""
    """``module:attribute`` of a click group that becomes ``python -m core <name> …``; imported only when called."""

    def __post_init__(self) -> None:
        if not NAME.match(self.name):
            raise ValueError(f"plugin name {self.name!r}: a lower-case ASCII identifier of at most 40 characters")
        if self.name == RESERVED:
            raise ValueError(f"plugin name {self.name!r}: the kernel publishes events of that name")
        foreign = [kind for kind in self.publishes if not kind.startswith(f"{self.name}.")]
        if foreign:
            raise ValueError(
                f"plugin {self.name!r}: published types start with '{self.name}.', not {', '.join(foreign)}"
            )
        odd = [api for api in self.apis if not API.match(api)]
        if odd:
            raise ValueError(f"plugin {self.name!r}: an API is named 'GET /open-apis/…', not {', '.join(odd)}")
        names = [table.name for table in self.tables]
        if len(set(names)) != len(names) or "state" in names:
            raise ValueError(f"plugin {self.name!r}: table names are different from each other and from 'state'")
        wrong_reads = [name for name in self.reads if not FULL_NAME.match(name)]
        if wrong_reads:
            raise ValueError(f"plugin {self.name!r}: reads names '<plugin>.<table>', not {', '.join(wrong_reads)}")
        unknown = [name for name in self.carried if name not in (*names, "state")]
        if unknown:
            raise ValueError(f"plugin {self.name!r}: carried names its tables or 'state', not {', '.join(unknown)}")
        wrong = [schedule for schedule in self.schedules if not NAME.match(schedule.name) or schedule.timeout <= 0]
        if wrong or len({schedule.name for schedule in self.schedules}) != len(self.schedules):
            raise ValueError(f"plugin {self.name!r}: schedules have different lower-case names and a positive timeout")
