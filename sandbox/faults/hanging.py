"""Requests that get no answer."""

from __future__ import annotations

import asyncio
import time

from aiohttp import web

from .fault import Fault
from .faults import Faults

LOOK_AGAIN = 0.02


async def hang(faults: Faults, fault: Fault, request: web.Request) -> None:
    """Returns when the fault's seconds are over, the client has left, or no such faults are in force any more."""
    until = time.monotonic() + faults.draw(fault)
    # Three things may end it, and none of them can be awaited.
    while time.monotonic() < until and faults.any(fault.place) and here(request):  # noqa: ASYNC110
        await asyncio.sleep(min(LOOK_AGAIN, max(0.0, until - time.monotonic())))


def here(request: web.Request) -> bool:
    """Whether the client still waits."""
    return request.transport is not None and not request.transport.is_closing()


def cut(request: web.Request) -> web.Response:
    """Ends the connection of the request at once; the response is for the server to throw away."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
