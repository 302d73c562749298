"""What the app needs in the developer console, for each plugin and for the program itself; it never asks anybody."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from ..feishu import scopes
from .plugins import Plugin

PROGRAM: Final = "the program itself"
"""Who needs what no plugin asks for: the history of the groups, to fill gaps."""
PLATFORM_EVENT: Final = re.compile(r"_v\d+\Z|\A[^.]+\Z")
"""How the names of the platform's own events end; those of schema 1.0 have no dot. What plugins make is neither."""


@dataclass(frozen=True, slots=True)
class Need:
    """What one plugin, or the program, needs."""

    who: str
    scopes: tuple[str, ...]
    events: tuple[str, ...] = ()
    callbacks: tuple[str, ...] = ()

    @property
    def of_program(self) -> bool:
        """Whether no plugin asks for it."""
        return self.who == PROGRAM

    def missing(self, granted: Collection[str]) -> tuple[str, ...]:
        """The scopes that are neither granted nor made up for by others that are."""
        return tuple(scope for scope in self.scopes if not scopes.covered(scope, granted))


def needs(plugins: Sequence[Plugin], *, any_group: bool) -> list[Need]:
    """What each plugin needs, and the program; with ``any_group`` it watches every group the bot is in."""
    return [*(_of_plugin(plugin) for plugin in plugins), _of_program(any_group=any_group)]


def united(wanted: Sequence[Need]) -> Need:
    """All of them in one, each thing once and in their order; what others make up for is left out."""
    named = tuple(dict.fromkeys(scope for need in wanted for scope in need.scopes))
    declared = {scope for need in wanted if not need.of_program for scope in need.scopes}
    kept = tuple(scope for scope in named if scope in declared or not scopes.covered(scope, declared))
    events = tuple(dict.fromkeys(event for need in wanted for event in need.events))
    return Need("", kept, events, tuple(dict.fromkeys(one for need in wanted for one in need.callbacks)))


def _of_plugin(plugin: Plugin) -> Need:
    made = {kind for kind in plugin.types if not PLATFORM_EVENT.search(kind)} | set(plugin.manifest.publishes)
    events = tuple(kind for kind in dict.fromkeys(plugin.types) if kind not in made and kind not in scopes.CALLBACKS)
    callbacks = tuple(kind for kind in dict.fromkeys(plugin.types) if kind in scopes.CALLBACKS)
    declared = plugin.manifest.permissions
    implied = [wanted[0] for wanted in _implied(plugin, events) if not any(scope in declared for scope in wanted)]
    return Need(plugin.name, tuple(dict.fromkeys([*declared, *implied])), events, callbacks)


def _implied(plugin: Plugin, events: Sequence[str]) -> Iterator[scopes.Alternatives]:
    """What the kernel does for the plugin, without its asking: events, tables in Bitable, names in them."""
    yield from (scopes.EVENTS[event] for event in events if event in scopes.EVENTS)
    for table in plugin.table_ids:
        yield ("bitable:app",)
        if table.people:
            yield scopes.CONTACT
            yield scopes.PERSON_NAME


def _of_program(*, any_group: bool) -> Need:
    wanted = [scopes.GROUP_MESSAGES, scopes.READ, *((scopes.CHATS,) if any_group else ())]
    return Need(PROGRAM, tuple(each[0] for each in wanted))
