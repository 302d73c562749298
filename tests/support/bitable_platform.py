"""Bitable and uploads alone on a real port, with every knob in the test's hand and no tokens to ask for."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import orjson
from aiohttp import ClientSession, FormData, web

from sandbox.api import bitable, media
from sandbox.bitable.bases import Base, Bases
from sandbox.bitable.kinds import Terms
from sandbox.bitable.media import Media
from sandbox.bitable.table import Table
from sandbox.endpoint import Call, Endpoint
from sandbox.reply import ApiError, failure, success

NOON = 1_793_505_600.0
"""2026-11-01 12:00 in Shanghai, a Sunday; seconds since 1970."""


@dataclass(frozen=True)
class Human:
    """Somebody with every kind of id."""

    open_id: str
    union_id: str
    user_id: str
    name: str
    en_name: str = ""


LI = Human("ou_li", "on_li", "li", "李雷", "Li Lei")
HAN = Human("ou_han", "on_han", "han", "韩梅梅", "Han Meimei")
BOT = Human("ou_bot", "on_bot", "", "机器人", "bot")
PEOPLE = {key: one for one in (LI, HAN, BOT) for key in (one.open_id, one.union_id, one.user_id) if key}
TERMS = Terms(PEOPLE.get)


TITLE = {"field_name": "标题", "type": 1}


def table_of(base: Base, type_: int, property_: Any = None, *, name: str = "表") -> Table:
    """A table of 标题 and a field 值 of ``type_``."""
    spec = {"field_name": "值", "type": type_}
    return base.create_table(name, [TITLE, spec if property_ is None else {**spec, "property": property_}])


class Clock:
    """The time, as the test sets it."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now


@dataclass(frozen=True)
class Answer:
    """What came back: HTTP status and the parts of the envelope."""

    status: int
    code: int
    data: dict[str, Any]
    culprit: str


class Platform:
    """The operations of ``sandbox.api.bitable`` and ``sandbox.api.media`` behind HTTP."""

    def __init__(self, **knobs: Any) -> None:
        self.clock = Clock()
        self.media = Media(clock=self.clock)
        knobs = {"write_seconds": 0.0, "editor": BOT.open_id, **knobs}
        self.bases = Bases(self.media, clock=self.clock, **knobs)
        self.endpoints = [*bitable.endpoints(self.bases, PEOPLE.get), *media.endpoints(self.media, self.bases)]
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=64 << 20)
        for endpoint in self.endpoints:
            app.router.add_route(endpoint.method, endpoint.path, _handler(endpoint))
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self.session = ClientSession()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.session.close()
        await self._runner.cleanup()
        self.media.close()

    async def call(self, method: str, path: str, body: Any = None, *, form: FormData | None = None) -> Answer:
        """One call; ``path`` begins after ``/open-apis/``."""
        data: Any = form if form is not None else None if body is None else orjson.dumps(body)
        async with self.session.request(method, f"{self.url}/open-apis/{path}", data=data) as response:
            answer = orjson.loads(await response.read())
        return Answer(
            response.status, answer["code"], answer.get("data", {}), answer.get("error", {}).get("message", "")
        )

    async def base(self, name: str = "台账") -> str:
        """A new base's app_token."""
        answer = await self.call("POST", "bitable/v1/apps", {"name": name})
        token: str = answer.data["app"]["app_token"]
        return token

    async def table(self, *fields: dict[str, Any], app_token: str = "", name: str = "消息") -> str:
        """The path of a new table with these fields, in a new base unless one is given."""
        base = f"bitable/v1/apps/{app_token or await self.base()}/tables"
        answer = await self.call("POST", base, {"table": {"name": name, "fields": list(fields)}})
        assert answer.code == 0, answer
        return f"{base}/{answer.data['table_id']}"


def _handler(endpoint: Endpoint) -> Any:
    async def handle(request: web.Request) -> web.StreamResponse:
        try:
            raw = await request.read() if endpoint.json else b""
            body = orjson.loads(raw) if raw else {}
            answer = await endpoint.answer(Call(request.match_info, request.query, body, request))
            return answer if isinstance(answer, web.StreamResponse) else success(answer)
        except ApiError as problem:
            return failure(problem)

    return handle
