"""Which command a message asks for; a pure rule."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from .command import NAME

LONGEST: Final = 200
"""Code points; a longer text is no command."""
EVERYONE: Final = "@_all"
"""Stands for all members, often only in the text."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A command by its name, and what was said behind it."""

    name: str
    arguments: tuple[str, ...]
    slash: bool
    """False = said by an alias alone, which may be a word of an ordinary sentence."""


def asked(text: str, placeholders: Collection[str], aliases: Mapping[str, str]) -> Asked | None:
    """What ``text`` asks for, without the mentions at ``placeholders``; None when it is no command."""
    for placeholder in sorted({*placeholders, EVERYONE} - {""}, key=len, reverse=True):  # @_user_1 begins @_user_10.
        text = text.replace(placeholder, " ")
    words = text.split() if len(text) <= LONGEST else []
    if not words:
        return None
    slash = words[0].startswith(("/", "／"))
    word = words[0][1:] if slash else words[0]
    name = aliases.get(word) or (word.lower() if slash else "")
    return Asked(name, tuple(words[1:]), slash) if NAME.match(name) else None
