"""Endpoint discovery that fails (FEISHU.md §1.1)."""

from __future__ import annotations

import orjson
from aiohttp import web

from ..reply import document
from .fault import Fault
from .faults import Faults
from .hanging import cut, hang

NOBODY = "ws://127.0.0.1:1/ws/v2?fpid=493&aid=552564&device_id=1&access_key=0&service_id=1&ticket=0"

GARBAGE: tuple[bytes, ...] = (
    b"",
    b"{",
    b"[]",
    b"null",
    b"\x00\xff\xfe",
    b"<html><body>It works!</body></html>",
    orjson.dumps({"code": 0, "msg": "", "data": None}),
    orjson.dumps({"code": 0, "msg": "", "data": {"URL": 7, "ClientConfig": []}}),
    orjson.dumps({"code": 0, "msg": "", "data": {"URL": "not an address", "ClientConfig": {"PingInterval": "soon"}}}),
    orjson.dumps({"code": "0", "data": {}}),
)


async def discovered(faults: Faults, request: web.Request) -> web.Response | None:
    """What a client gets instead of an endpoint; None = no fault strikes."""
    fault = faults.strike("discovery", "discovery")
    return None if fault is None else await _answer(faults, fault, request)


async def _answer(faults: Faults, fault: Fault, request: web.Request) -> web.Response:
    chance = faults.chance("discovery")
    match fault.kind:
        case "discovery-refused":
            # ``data`` has to be an object even now: one SDK takes it apart before it looks at the code.
            return document({"code": chance.choice(fault.codes or (1,)), "msg": "refused on demand", "data": {}})
        case "discovery-failed":
            return web.Response(status=chance.choice(fault.statuses or (500,)))
        case "discovery-garbage":
            return web.Response(body=chance.choice(GARBAGE), content_type="application/json")
        case "discovery-astray":
            return document({"code": 0, "msg": "", "data": {"URL": NOBODY, "ClientConfig": {}}})
    await hang(faults, fault, request)
    return cut(request)
