"""Which commands there are: our own, and those of packages with an entry point in the group ``larkflock_commands``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from .command import Command
from .pins import PINS
from .rank import RANK
from .topics import TOPICS

GROUP: Final = "larkflock_commands"
HELP: Final = "help"
OWN: Final = (RANK, TOPICS, PINS)


@dataclass(frozen=True, slots=True)
class Registry:
    """The commands by name, and what was wrong with those that are missing."""

    commands: dict[str, Command]
    problems: tuple[str, ...]

    @property
    def reads(self) -> tuple[str, ...]:
        """Every table that some command reads."""
        return tuple(dict.fromkeys(table for command in self.commands.values() for table in command.reads))

    @property
    def summaries(self) -> dict[str, str]:
        """What each command does, by name; ``/help`` comes last."""
        return {**{name: command.summary for name, command in self.commands.items()}, HELP: "这个列表"}

    def has(self, name: str) -> bool:
        """Whether there is such a command."""
        return name == HELP or name in self.commands

    def usage(self, name: str) -> str:
        """How the command is said."""
        return f"/{name} {self.commands[name].usage if name in self.commands else ''}".rstrip()


def registry(points: Iterable[EntryPoint] | None = None) -> Registry:
    """Our commands and what ``points`` add; a broken one is left out and told, the others are there."""
    commands = {command.name: command for command in OWN}
    problems = []
    found = entry_points(group=GROUP) if points is None else points
    for point in sorted(found, key=lambda one: (one.name, one.value)):
        source = f"{point.name} of {point.dist.name if point.dist else 'a package'} ({point.value})"
        try:
            command = point.load()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # A stranger's module may raise anything, SystemExit too.
            problems.append(f"command {source} cannot be imported: {type(error).__name__}: {error}")
            continue
        if not isinstance(command, Command):
            problems.append(f"command {source} is no larkflock_commands.Command")
        elif command.name == HELP or command.name in commands:
            problems.append(f"command {source}: there is a command /{command.name} already")
        else:
            commands[command.name] = command
    return Registry(commands, tuple(problems))
