"""A sandbox whose operations can be made to misbehave, one call after another."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from aiohttp import web

from sandbox.endpoint import Answer, Call, Endpoint
from sandbox.reply import ApiError
from sandbox.server import Sandbox

Trouble = Callable[[Call, Answer], Awaitable[dict[str, Any] | web.StreamResponse]]
"""What happens instead of an operation's answer; it may call the operation itself."""

CREATE = "bitable.v1.appTableRecord.batchCreate"
UPDATE = "bitable.v1.appTableRecord.batchUpdate"
DELETE = "bitable.v1.appTableRecord.batchDelete"
SEARCH = "bitable.v1.appTableRecord.search"
FIELDS = "bitable.v1.appTableField.list"
NAMES = "contact.v3.user.batch"


class UnrulySandbox(Sandbox):
    """``troubles`` are met by the next calls of the operation they are filed under, in their order."""

    troubles: dict[str, deque[Trouble]]
    seen: dict[str, list[Call]]
    """Every call by operation, as it was asked."""

    def _endpoints(self) -> list[Endpoint]:
        self.troubles, self.seen = defaultdict(deque), defaultdict(list)
        return [replace(endpoint, answer=self._troubled(endpoint)) for endpoint in super()._endpoints()]

    def _troubled(self, endpoint: Endpoint) -> Answer:
        async def answer(call: Call) -> dict[str, Any] | web.StreamResponse:
            self.seen[endpoint.name].append(call)
            waiting = self.troubles[endpoint.name]
            return await (waiting.popleft()(call, endpoint.answer) if waiting else endpoint.answer(call))

        return answer


async def answer_lost(call: Call, answer: Answer) -> web.StreamResponse:
    """The operation is done, but the line is cut before the answer."""
    await answer(call)
    transport = call.request.transport
    assert transport is not None
    transport.abort()
    return web.Response()


def refused(code: int, status: int = 200, msg: str = "refused on demand") -> Trouble:
    """The operation is not done and answers ``code``."""

    async def trouble(_call: Call, _answer: Answer) -> dict[str, Any]:
        raise ApiError(code, msg, status=status)

    return trouble


def raw(body: bytes, status: int = 200, **headers: str) -> Trouble:
    """Something that is no answer of the platform."""

    async def trouble(_call: Call, _answer: Answer) -> web.StreamResponse:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(body=body, status=status, headers=given)

    return trouble
