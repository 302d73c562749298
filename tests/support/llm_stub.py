"""A local OpenAI-compatible endpoint that answers as it is told: well, slowly, wrongly, or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from aiohttp import web
from api_client import NOVEMBER, Clock, Sleep
from pydantic import SecretStr

from plugins.archive.llm.providers import Provider
from plugins.archive.llm.settings import LlmSettings
from plugins.archive.llm.summarizer import LlmSummarizer
from plugins.archive.summary import Line

KEY = "sk-canary-0123456789abcdef"

Behaviour = Callable[[web.Request, dict[str, Any]], Awaitable[web.StreamResponse]]


class DictMemory(dict[str, Mapping[str, Any]]):
    """A memory that lasts as long as the test."""

    def put(self, key: str, value: Mapping[str, Any]) -> None:
        self[key] = orjson.loads(orjson.dumps(value))


@dataclass
class LlmStub:
    """What was asked, and how it is answered: by ``plan`` one after the other, then always by ``default``."""

    url: str = ""
    plan: list[Behaviour] = field(default_factory=list)
    default: Behaviour = field(default_factory=lambda: well())
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)

    @property
    def contents(self) -> list[dict[str, Any]]:
        """The data of every request: topic, and messages or parts."""
        return [orjson.loads(body["messages"][1]["content"]) for body in self.bodies]

    @property
    def text(self) -> str:
        """All that was ever sent here."""
        return orjson.dumps(self.bodies).decode()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = orjson.loads(await request.read())
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        behaviour = self.plan.pop(0) if self.plan else self.default
        return await behaviour(request, body)


@asynccontextmanager
async def llm_stub(*plan: Behaviour, default: Behaviour | None = None) -> AsyncIterator[LlmStub]:
    """One that listens on this machine."""
    stub = LlmStub(plan=list(plan), default=default or well())
    app = web.Application()
    app.router.add_post("/v1/chat/completions", stub.handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.05)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        stub.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        yield stub
    finally:
        await runner.cleanup()


def completion(content: Any, *, tokens: int | None = 100, finish: str = "stop") -> web.Response:
    """The envelope around an answer."""
    text = content if isinstance(content, str) else orjson.dumps(content).decode()
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}
    usage = {"usage": {"total_tokens": tokens}} if tokens is not None else {}
    return web.Response(body=orjson.dumps({"choices": [choice], **usage}), content_type="application/json")


def ids_of(body: Mapping[str, Any]) -> list[str]:
    """The ids that a question gives."""
    data = orjson.loads(body["messages"][1]["content"])
    if "messages" in data:
        return [row[0] for row in data["messages"]]
    return [id_ for row in data["parts"] for id_ in row[0]]


def saying(summary: str, *, keywords: Sequence[str] = ("发布",), tokens: int | None = 100) -> Behaviour:
    """A valid answer of these words, citing the first id."""

    async def behave(_: web.Request, body: dict[str, Any]) -> web.Response:
        answer = {"summary": summary, "keywords": list(keywords), "citations": ids_of(body)[:1]}
        return completion(answer, tokens=tokens)

    return behave


def well() -> Behaviour:
    """A valid answer that says what it was about and cites the first and the last id."""

    async def behave(_: web.Request, body: dict[str, Any]) -> web.Response:
        data, ids = orjson.loads(body["messages"][1]["content"]), ids_of(body)
        kind = "messages" if "messages" in data else "parts"
        answer = {
            "summary": f"{data['topic']}（{len(data[kind])} {kind}）",
            "keywords": ["发布", "连接池"],
            "citations": list(dict.fromkeys([ids[0], ids[-1]])),
        }
        return completion(answer)

    return behave


def answering(content: Any, **given: Any) -> Behaviour:
    """This content in a proper envelope, whatever was asked."""

    async def behave(_: web.Request, body: dict[str, Any]) -> web.Response:
        return completion(content, **given)

    return behave


def raw(body: str | bytes, *, status: int = 200, kind: str = "application/json", **headers: str) -> Behaviour:
    """These bytes."""
    sent = body.encode() if isinstance(body, str) else body

    async def behave(_: web.Request, __: dict[str, Any]) -> web.Response:
        return web.Response(
            body=sent, status=status, content_type=kind, headers={k.replace("_", "-"): v for k, v in headers.items()}
        )

    return behave


def failing(status: int, *, code: str = "", **headers: str) -> Behaviour:
    """An HTTP error that repeats the key, as some do."""
    error = {"error": {"message": f"Incorrect API key provided: {KEY}", "code": code or None}}
    return raw(orjson.dumps(error), status=status, **headers)


def hanging() -> Behaviour:
    """Never an answer."""

    async def behave(_: web.Request, __: dict[str, Any]) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    return behave


def cut_off() -> Behaviour:
    """Half an answer, then the connection is gone."""

    async def behave(request: web.Request, _: dict[str, Any]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b'{"choices": [')
        assert request.transport is not None
        request.transport.abort()
        return response

    return behave


HTML = raw("<html><body><h1>502 Bad Gateway</h1></body></html>", kind="text/html")


def provider(stub: LlmStub | str, name: str = "deepseek", **given: Any) -> Provider:
    """A provider at ``stub``, or at a URL."""
    url = stub if isinstance(stub, str) else stub.url
    return Provider(name, url, "test-model", SecretStr(KEY), **{"per_minute": 1000, **given})


@dataclass
class LlmBench:
    """A summarizer with everything around it in the test's hand."""

    summarizer: LlmSummarizer
    memory: DictMemory
    clock: Clock
    sleep: Sleep
    warnings: list[str]


@asynccontextmanager
async def llm_bench(
    *providers: Provider,
    memory: DictMemory | None = None,
    clock: Clock | None = None,
    zone: str = "Asia/Shanghai",
    **settings: Any,
) -> AsyncIterator[LlmBench]:
    """One that asks ``providers``."""
    memory = DictMemory() if memory is None else memory
    clock, sleep, warnings = clock or Clock(NOVEMBER), Sleep(), list[str]()
    summarizer = LlmSummarizer(
        LlmSettings(enabled=True, **settings),
        providers,
        memory,
        zone=ZoneInfo(zone),
        clock=clock,
        warn=warnings.append,
        sleep=sleep,
        uniform=lambda low, high: (low + high) / 2,
    )
    try:
        yield LlmBench(summarizer, memory, clock, sleep, warnings)
    finally:
        await summarizer.close()


def topic(*said: tuple[str, str]) -> list[Line]:
    """Messages of these senders and texts, a minute apart."""
    return [
        Line(f"om_{number}", sender, NOVEMBER + number * 60_000, text, f"https://chat.example/{number}")
        for number, (sender, text) in enumerate(said, 1)
    ]
