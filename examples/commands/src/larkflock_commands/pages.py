"""A list in pages: which page is asked for, how an entry is shortened, and which buttons turn the page."""

from __future__ import annotations

from typing import Final

from .command import at_most, whole

EXCERPT: Final = 80
"""Code points of a text in a list."""
USAGE: Final = "[条数] [页]"


def asked_for(arguments: tuple[str, ...]) -> tuple[int, int]:
    """How many entries a page has, 5 if not told otherwise, and which page; the first is 1. Raises ``Usage``."""
    at_most(arguments, 2)
    count = whole(arguments[0], least=1, most=10) if arguments else 5
    page = whole(arguments[1], least=1, most=100) if len(arguments) > 1 else 1
    return count, page


def short(text: str) -> str:
    """The beginning of ``text`` on one line."""
    line = " ".join(text.split())
    return line if len(line) <= EXCERPT else f"{line[:EXCERPT]}…"


def buttons(count: int, page: int, total: int) -> tuple[tuple[str, str], ...]:
    """Newer and older entries, where there are any."""
    newer = (("较新", f"{count} {page - 1}"),) if page > 1 else ()
    older = (("较早", f"{count} {page + 1}"),) if page * count < total else ()
    return (*newer, *older)
