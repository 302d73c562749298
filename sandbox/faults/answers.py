"""Calls of the open API that fail, with or without being carried out (FEISHU.md §3.3, §5.7, §9)."""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

from aiohttp import web

from ..bitable.bases import Bases
from ..bitable.refusals import NAMES, refuse
from ..reply import ApiError, failure
from . import codes
from .fault import Fault
from .faults import Faults
from .hanging import cut, hang
from .people import delete

FREQUENT, TENANT_TOKEN_INVALID = 99991400, 99991663
LIMIT = 50
HTML = "<html><head><title>{0}</title></head><body><h1>{0}</h1><hr>nginx</body></html>"
NO_ANSWER = -1
"""What a call is counted under whose line was cut before it was carried out."""

Operate = Callable[[], Awaitable[web.StreamResponse]]


class Instead(Exception):
    """Something that is no answer of the platform's, and the code it is counted under."""

    def __init__(self, response: web.StreamResponse, code: int) -> None:
        super().__init__(code)
        self.response = response
        self.code = code


class Answers:
    """What faults make of calls. ``revoke`` makes every token invalid."""

    def __init__(self, faults: Faults, bases: Bases, revoke: Callable[[], None]) -> None:
        self._faults = faults
        self._bases = bases
        self._revoke = revoke

    async def answer(self, name: str, request: web.Request, operate: Operate) -> web.StreamResponse:
        """The answer to a call of the API ``name``, which ``operate`` carries out. Raises ``ApiError``, ``Instead``."""
        if not self._faults.any("call"):
            return await operate()
        fault = self._faults.strike("call", name, request.path)
        return await (operate() if fault is None else self._struck(fault, request, operate))

    async def _struck(self, fault: Fault, request: web.Request, operate: Operate) -> web.StreamResponse:
        chance = self._faults.chance("call")
        match fault.kind:
            case "limited":
                reset = str(math.ceil(self._faults.draw(fault)))
                headers = {"x-ogw-ratelimit-limit": str(LIMIT), "x-ogw-ratelimit-reset": reset}
                raise ApiError(FREQUENT, "request trigger frequency limit", status=429, headers=headers)
            case "limited-400":
                raise ApiError(FREQUENT, "request trigger frequency limit")
            case "token-invalid":
                self._revoke()
                raise ApiError(TENANT_TOKEN_INVALID, "Invalid access token for authorization.")
            case "failed":
                status = chance.choice(fault.statuses or (500,))
                if chance.random() < (fault.done or 0.0):
                    with suppress(ApiError):
                        await operate()
                raise Instead(_page(status), status)
            case "refused":
                code = chance.choice(fault.codes or codes.EVERY_WRITERS)
                share = codes.DONE.get(code, 0.0) if fault.done is None else fault.done
                if chance.random() < share:
                    await operate()
                raise refuse(code) if code in NAMES else ApiError(code, "refused on demand")
            case "slow":
                await asyncio.sleep(self._faults.draw(fault))
            case "stuck":
                await hang(self._faults, fault, request)
                raise Instead(cut(request), NO_ANSWER)
            case "unreached":
                raise Instead(cut(request), NO_ANSWER)
            case "answer-lost":
                try:
                    return await operate()
                finally:
                    cut(request)
            case "answer-cut":
                return await _cut_in_the_middle(request, operate, chance)
            case "answer-garbage":
                await operate()
                return _page(200)
            case "record-deleted" | "column-deleted" | "table-deleted":
                where = request.match_info
                with suppress(ApiError, KeyError):  # Another person was faster; the call is about no table.
                    delete(fault.kind, self._bases.find(where["app_token"]), where["table_id"], chance)
        return await operate()


def _page(status: int) -> web.Response:
    return web.Response(status=status, text=HTML.format(status), content_type="text/html")


async def _cut_in_the_middle(request: web.Request, operate: Operate, chance: random.Random) -> web.StreamResponse:
    problem = None
    try:
        answer = await operate()
    except ApiError as refused:
        problem, answer = refused, failure(refused)
    body = answer.body if isinstance(answer, web.Response) else None
    if not isinstance(body, bytes) or len(body) < 2:
        answer = cut(request)
    else:
        headers = {"Content-Type": answer.headers["Content-Type"], "Content-Length": str(len(body))}
        answer = web.StreamResponse(status=answer.status, headers=headers)
        with suppress(ConnectionError):
            await answer.prepare(request)
            await answer.write(body[: chance.randrange(1, len(body))])
        if request.transport is not None:
            request.transport.close()
    if problem is not None:
        raise problem
    return answer
