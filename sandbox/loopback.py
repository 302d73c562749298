"""Requests behind the stage and their answers; only this machine may ask, and nothing is counted."""

from __future__ import annotations

import ipaddress
from typing import Any

import orjson
from aiohttp import web


def check(request: web.Request) -> None:
    """Passes requests of this machine. Raises ``HTTPForbidden``."""
    if not request.remote or not ipaddress.ip_address(request.remote).is_loopback:
        raise web.HTTPForbidden(text="only from this machine")


async def body(request: web.Request) -> Any:
    """The JSON of the body. Raises ``HTTPBadRequest``, ``HTTPForbidden``."""
    check(request)
    try:
        return orjson.loads(await request.read())
    except orjson.JSONDecodeError as problem:
        raise wrong(problem) from problem


def whole(request: web.Request, name: str, default: int) -> int:
    """The query parameter ``name``, a number of at least 0. Raises ``HTTPBadRequest``."""
    given = request.query.get(name, str(default))
    if not given.isdecimal():
        raise wrong(f"{name} must be a number of at least 0, not {given!r}")
    return int(given)


def answer(request: web.Request, document: Any) -> web.Response:
    """The document as JSON."""
    check(request)
    return web.Response(body=orjson.dumps(document), content_type="application/json")


def wrong(problem: object, **more: Any) -> web.HTTPBadRequest:
    """The refusal that says what is wrong."""
    reason = str(problem) if not isinstance(problem, KeyError) else f"{problem} is missing"
    return web.HTTPBadRequest(text=orjson.dumps({"error": reason, **more}).decode(), content_type="application/json")
