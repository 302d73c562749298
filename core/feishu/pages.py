"""Answers that come in pages, one after another until the last."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from ..errors import Unreachable
from .transport import Operation


async def pages(
    call: Callable[..., Awaitable[dict[str, Any]]], operation: Operation, query: Mapping[str, str], **request: Any
) -> AsyncIterator[dict[str, Any]]:
    """The ``data`` of every page; errors as of ``call``, and ``Unreachable`` when a page names no new one to follow."""
    seen = {""}
    token = ""
    while True:
        data = await call(operation, query={**query, **({"page_token": token} if token else {})}, **request)
        yield data
        if not data.get("has_more"):
            return
        token = str(data.get("page_token") or "")
        if token in seen:
            raise Unreachable(f"{operation.name}: there is said to be more, and not where")
        seen.add(token)
