"""Requests behind the stage and their answers; only this machine may ask, and nothing is counted.

A browser on this machine runs the scripts of any website. So that none of them can reach in, requests must be addressed
to this machine by a name that no website can have (DNS rebinding), and must not come from another website's page.
"""

from __future__ import annotations

import ipaddress
from typing import Any
from urllib.parse import urlsplit

import orjson
from aiohttp import web

from . import bodies


def check(request: web.Request) -> None:
    """Passes requests of this machine that no other website's page made. Raises ``HTTPForbidden``."""
    if not request.remote or not ipaddress.ip_address(request.remote).is_loopback:
        raise web.HTTPForbidden(text="only from this machine")
    if not _is_here(request.host):
        raise web.HTTPForbidden(text=f"not as {request.host}: this is 127.0.0.1")
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site", "none")
    if origin is not None and origin != f"{request.scheme}://{request.host}":
        raise web.HTTPForbidden(text=f"not from a page of {origin}")
    followed = request.method == "GET" and request.headers.get("Sec-Fetch-Mode") == "navigate"
    if site not in ("same-origin", "none") and not followed:
        raise web.HTTPForbidden(text="not from a page of another website")


def _is_here(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


async def body(request: web.Request) -> Any:
    """The JSON of the body. Raises ``HTTPBadRequest``, ``HTTPForbidden``."""
    check(request)
    try:
        return bodies.parse(await request.read())
    except orjson.JSONDecodeError as problem:
        raise wrong(problem) from problem


def whole(request: web.Request, name: str, default: int) -> int:
    """The query parameter ``name``, a number of at least 0. Raises ``HTTPBadRequest``."""
    given = request.query.get(name, str(default))
    number = bodies.whole(given)
    if number is None:
        raise wrong(f"{name} must be a number of at least 0, not {given!r}")
    return number


def answer(request: web.Request, document: Any) -> web.Response:
    """The document as JSON."""
    check(request)
    return web.Response(body=orjson.dumps(document), content_type="application/json")


def wrong(problem: object, **more: Any) -> web.HTTPBadRequest:
    """The refusal that says what is wrong."""
    reason = str(problem) if not isinstance(problem, KeyError) else f"{problem} is missing"
    return web.HTTPBadRequest(text=orjson.dumps({"error": reason, **more}).decode(), content_type="application/json")
