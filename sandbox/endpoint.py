"""One operation of the open API: its name, address, scopes and limit, and the function that answers it.

Every API module lists its operations as ``Endpoint`` rows; ``sandbox.server`` alone turns them into routes and does
what is the same for all: count the call, check the token, the scopes and the rate limit, read the body.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from .bodies import whole
from .reply import ApiError


@dataclass(slots=True)
class Call:
    """A request that passed the checks: decoded path and query, the JSON body (``{}`` where there is none)."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    body: dict[str, Any]
    request: web.Request

    def text(self, name: str, default: str = "") -> str:
        """The query parameter ``name``, or ``default``."""
        return self.query.get(name, default)

    def many(self, name: str) -> list[str]:
        """Every value of a repeated query parameter."""
        return list(self.request.query.getall(name, []))

    def page_size(self, *, most: int, default: int = 20, code: int = 99992402) -> int:
        """``page_size`` within 1…``most``; anything else is refused with ``code``."""
        given = self.query.get("page_size", "")
        if not given:
            return default
        size = whole(given)
        if size is None or not 1 <= size <= most:
            raise ApiError(code, f"page_size must be between 1 and {most}, not {given!r}")
        return size


Answer = Callable[[Call], Awaitable[dict[str, Any] | web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An operation. ``name`` is what calls are counted under, e.g. ``bitable.v1.appTableRecord.batchCreate``."""

    name: str
    method: str
    path: str
    """aiohttp's notation: ``/open-apis/im/v1/messages/{message_id}``."""
    answer: Answer
    """Returns the ``data`` object, or a whole response for downloads."""
    scopes: tuple[str, ...] = ()
    """Any one of them is enough; empty = none needed."""
    per_second: int = 50
    per_minute: int = 1000
    json: bool = field(default=True)
    """Read the body as JSON (False for multipart uploads, which the operation reads itself)."""
