"""Answers that come in pages, one after another until the last, and what is listed on them."""

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


def entries(operation: Operation, listed: Any, *needed: str) -> list[dict[str, Any]]:
    """A list of an answer, empty where it is left out; ``Unreachable`` unless each entry has what is needed."""
    listed = listed or []
    if not isinstance(listed, list) or not all(isinstance(one, dict) and one.keys() >= {*needed} for one in listed):
        raise Unreachable(f"{operation.name}: the answer is no list of {' and '.join(needed)}")
    return listed
