"""Pages of a list: what a page token means and what comes with each page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from .bodies import whole
from .reply import ApiError

Item = TypeVar("Item")

PREFIX = "PT_"


def position(token: str, code: int) -> int:
    """The position a page token stands for; 0 for none. Raises ``ApiError`` with ``code``."""
    if not token:
        return 0
    place = whole(token.removeprefix(PREFIX)) if token.startswith(PREFIX) else None
    if place is None:
        raise ApiError(code, f"Your request contains an invalid request parameter: page_token {token!r}")
    return place


def after(end: int, total: int) -> dict[str, Any]:
    """``has_more`` and ``page_token`` of a page that ended before position ``end`` of ``total``."""
    more = end < total
    return {"has_more": more, "page_token": f"{PREFIX}{end}" if more else ""}


def page(items: Sequence[Item], token: str, size: int, code: int) -> tuple[Sequence[Item], dict[str, Any]]:
    """The items of one page, and its ``has_more`` and ``page_token``."""
    start = position(token, code)
    return items[start : start + size], after(start + size, len(items))
