"""What a command is: what other packages make when they add one."""

from __future__ import annotations

import inspect
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

from core import Context

NAME: Final = re.compile(r"[a-z][a-z0-9_-]{0,31}\Z")
TABLE: Final = re.compile(r"[a-z][a-z0-9_]{0,39}\.[a-z][a-z0-9_]*\Z")


class Usage(Exception):
    """The arguments are not what the command takes; whoever asked is shown this text and the command's usage."""


@dataclass(frozen=True, slots=True)
class Call:
    """One use of a command."""

    arguments: tuple[str, ...]
    chat_id: str
    in_group: bool
    """False = said to the bot alone; then nothing of a group is told."""
    asker: str
    """The open_id of the person."""
    now: int
    """ms UTC."""
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command says: a card of plain text with buttons."""

    title: str
    lines: tuple[str, ...]
    buttons: tuple[tuple[str, str], ...] = ()
    """(label, arguments): pressing one shows what the command answers to those arguments, in the same card."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command by name. ``answer`` reads what it needs through the context, and returns within a few seconds."""

    name: str
    """What is said after the slash: lower-case ASCII, at most 32 characters."""
    summary: str
    """One sentence for ``/help``."""
    answer: Callable[[Call, Context[Any]], Awaitable[Answer]]
    usage: str = ""
    """The arguments, e.g. ``[YYYY-MM]``."""
    reads: tuple[str, ...] = ()
    """Tables of other plugins it reads, ``<plugin>.<table>``."""

    def __post_init__(self) -> None:
        if not (isinstance(self.name, str) and NAME.match(self.name)):
            raise ValueError(f"command {self.name!r}: lower-case ASCII letters, digits, - and _, at most 32")
        if not (isinstance(self.summary, str) and self.summary and isinstance(self.usage, str)):
            raise ValueError(f"command {self.name!r}: its summary and usage are texts, which /help shows")
        if not inspect.iscoroutinefunction(self.answer):
            raise ValueError(f"command {self.name!r}: answer is an async function of the call and ctx")
        if not (isinstance(self.reads, tuple) and all(isinstance(one, str) and TABLE.match(one) for one in self.reads)):
            raise ValueError(f"command {self.name!r}: reads is a tuple of '<plugin>.<table>', not {self.reads!r}")


def whole(text: str, *, least: int, most: int) -> int:
    """An argument as a whole number. Raises ``Usage``."""
    if not (text.isascii() and text.isdecimal() and len(text) < 10 and least <= int(text) <= most):
        raise Usage(f"“{text[:20]}” 不是 {least} 到 {most} 的整数。")
    return int(text)


def at_most(arguments: tuple[str, ...], count: int) -> None:
    """Raises ``Usage`` where there are more arguments than the command takes."""
    if len(arguments) > count:
        raise Usage(f"最多 {count} 个参数。" if count else "没有参数。")
