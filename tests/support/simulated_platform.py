"""The platform without a network: one Bitable table and one chat behind the API's transport, with faults from a seed.

It is an account of its own, not the sandbox: small, quick, and the same for the same seed.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import aiohttp
import orjson

from core.feishu.transport import Api

PAGE: Final = 20
"""Records of a page, few, so that reading takes several calls."""
PASSING: Final = (1254290, 1254291, 1254607, 1255001, 1255040)
LAG: Final = (1254040, 1254041, 1254043)
RATE, BAD_TOKEN, SENDING = 99991400, 99991663, 230049
UUID_LIFETIME, TOKEN_LIFETIME = 3600.0, 1800.0
"""Seconds for which a message's uuid and a write's client_token are remembered."""


class Refusal(Exception):
    """An answer with a code other than 0."""

    def __init__(self, code: int, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.status = status
        self.headers = dict(headers or {})


class Content:
    """The body of an answer, as it comes."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    async def iter_any(self) -> AsyncIterator[bytes]:
        """All of it at once."""
        yield self._body


class Response:
    """What the transport reads of an answer."""

    def __init__(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.headers = dict(headers or {})
        self.content = Content(body)


class SimulatedPlatform:
    """``trouble`` is the share of calls that fail; ``replay`` what a client_token used before is answered with."""

    def __init__(self, chance: random.Random, columns: Mapping[str, int], *, replay: int = 0) -> None:
        self.trouble = 0.0
        self.troubles: list[str] = []
        """Kinds of trouble that the next calls meet for certain, in their order."""
        self.met: dict[str, int] = {}
        """Troubles met, by kind."""
        self.records: dict[str, dict[str, Any]] = {}
        self.chat: list[str] = []
        """What was said, in order."""
        self.step: Callable[[str], None] = lambda point: None
        """Called before and after each operation is carried out; the caller's process may end there."""
        self.calls = 0
        self._chance = chance
        self._columns = columns
        self._replay = replay
        self._numbers = 0
        self._tokens: dict[str, tuple[float, list[str]]] = {}
        self._uuids: dict[str, tuple[float, str]] = {}

    @asynccontextmanager
    async def request(self, method: str, url: str, **given: Any) -> AsyncIterator[Response]:
        """As a client session does it."""
        self.calls += 1
        self.step("before a call")
        yield await self._answer(url, dict(given.get("params") or {}), orjson.loads(given.get("data") or b"{}"))

    async def close(self) -> None: ...

    def cells(self) -> list[dict[str, Any]]:
        """Every record without its empty cells."""
        return [{name: cell for name, cell in one.items() if cell is not None} for one in self.records.values()]

    async def _answer(self, url: str, query: dict[str, str], body: dict[str, Any]) -> Response:
        kind = self._kind()
        await asyncio.sleep(self._chance.random())
        match kind:
            case "unreached":
                raise aiohttp.ClientConnectionError("no line")
            case "limited":
                return _failure(Refusal(RATE, 429, {"x-ogw-ratelimit-reset": "2"}))
            case "token":
                return _failure(Refusal(BAD_TOKEN, 400))
            case "passing" | "lagging" if "/bitable/" not in url:
                return _failure(Refusal(SENDING))
            case "passing":
                return _failure(Refusal(self._chance.choice(PASSING)))
            case "lagging":
                return _failure(Refusal(self._chance.choice(LAG)))
            case "broken":
                return Response(502, b"<html>502</html>")
        try:
            data = self._carried_out(url, query, body)
        except Refusal as problem:
            return _failure(problem)
        self.step("after an operation")
        await asyncio.sleep(self._chance.random())
        whole = orjson.dumps({"code": 0, "msg": "success", **data})
        match kind:
            case "lost":
                raise aiohttp.ServerDisconnectedError
            case "cut":
                return Response(200, whole[: len(whole) // 2])
            case "timed-out":
                return _failure(Refusal(1255040, 504))
        return Response(200, whole)

    def _kind(self) -> str:
        kind = ""
        if self.troubles:
            kind = self.troubles.pop(0)
        elif self._chance.random() < self.trouble:
            kind = self._chance.choice(
                ("unreached", "limited", "token", "passing", "lagging", "broken", "lost", "lost", "cut", "timed-out")
            )
        if kind:
            self.met[kind] = self.met.get(kind, 0) + 1
        return kind

    def _carried_out(self, url: str, query: dict[str, str], body: dict[str, Any]) -> dict[str, Any]:
        name = url.rsplit("/", 1)[1]
        if name == "internal":
            return {"tenant_access_token": f"t-{self.calls}", "expire": 7200}
        match name:
            case "fields":
                items = [{"field_name": title, "type": kind} for title, kind in self._columns.items()]
                return {"data": {"items": items, "has_more": False}}
            case "search":
                return {"data": self._searched(query)}
            case "batch_create":
                return {"data": {"records": self._created(query["client_token"], body["records"])}}
            case "batch_update":
                self._there([one["record_id"] for one in body["records"]])
                for one in body["records"]:
                    self.records[one["record_id"]].update(one["fields"])
                return {"data": {}}
            case "batch_delete":
                self._there(body["records"])
                for record in body["records"]:
                    del self.records[record]
                return {"data": {}}
            case "batch_get":
                return {"data": {"absent_record_ids": [one for one in body["record_ids"] if one not in self.records]}}
            case "messages":
                return {"data": {"message_id": self._said(body["uuid"], body["content"])}}
        raise AssertionError(f"nobody foresaw {url}")

    def _searched(self, query: dict[str, str]) -> dict[str, Any]:
        after = query.get("page_token", "")
        ids = [record for record in self.records if record > after]
        items = [
            {
                "record_id": record,
                "fields": {
                    name: [{"type": "text", "text": cell}] if isinstance(cell, str) else cell
                    for name, cell in self.records[record].items()
                    if cell is not None
                },
            }
            for record in ids[:PAGE]
        ]
        return {"items": items, "has_more": len(ids) > PAGE, "page_token": ids[PAGE - 1] if len(ids) > PAGE else ""}

    def _created(self, token: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        now = asyncio.get_running_loop().time()
        used = self._tokens.get(token)
        if used is not None and used[0] + TOKEN_LIFETIME > now:
            if self._replay:
                raise Refusal(self._replay, 403)
            return [{"record_id": record} for record in used[1]]
        ids = []
        for row in rows:
            self._numbers += 1
            ids.append(f"rec{self._numbers:07d}")
            self.records[ids[-1]] = dict(row["fields"])
        self._tokens[token] = (now, ids)
        return [{"record_id": record} for record in ids]

    def _there(self, records: list[str]) -> None:
        if any(record not in self.records for record in records):
            raise Refusal(1254043)

    def _said(self, uuid: str, content: str) -> str:
        now = asyncio.get_running_loop().time()
        used = self._uuids.get(uuid)
        if used is not None and used[0] + UUID_LIFETIME > now:
            return used[1]
        self.chat.append(content)
        self._uuids[uuid] = (now, f"om_sent{len(self.chat)}")
        return self._uuids[uuid][1]


class SimulatedApi(Api):
    """The transport as it is, on a line that is no network."""

    def __init__(self, platform: SimulatedPlatform, ledger: Any, now: Callable[[], float]) -> None:
        super().__init__("https://platform.invalid", "cli_simulated", "secret", ledger, now=now)
        self._session: Any = platform


def _failure(problem: Refusal) -> Response:
    body = orjson.dumps({"code": problem.code, "msg": "refused by chance"})
    return Response(problem.status, body, problem.headers)
