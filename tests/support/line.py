"""The long connection beside something that takes the journal's place."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson

from core.errors import StorageError
from core.feishu.connection import Confirm, LongConnection
from sandbox.config import SandboxConfig
from sandbox.server import Sandbox

PROMPT = 1.0
"""Seconds that are enough to stop when nothing has to be waited for."""


class Inbox:
    """Takes the journal's place; ``hold`` keeps what arrives unconfirmed."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.hold = False
        self.error: StorageError | None = None
        self.held: list[tuple[Any, Confirm]] = []

    def submit(self, body: bytes, ticket: Any, confirm: Confirm) -> None:
        self.bodies.append(body)
        if self.hold:
            self.held.append((ticket, confirm))
        else:
            confirm([ticket], self.error)

    def release(self) -> None:
        """Everything held is durable now."""
        held, self.held = self.held, []
        for ticket, confirm in held:
            with contextlib.suppress(RuntimeError):  # The connection has ended.
                confirm([ticket], None)


class Line:
    """A connection, its inbox and what it said at its end."""

    def __init__(self, url: str, app_id: str, secret: str, **options: Any) -> None:
        self.inbox = Inbox()
        self.gave_up = threading.Event()
        self.connection = LongConnection(
            url,
            app_id,
            secret,
            self.inbox.submit,
            clock=itertools.count(1).__next__,  # A time that never stands still.
            on_given_up=self.gave_up.set,
            **{"retry_delay": 0.01, **options},
        )

    @property
    def connected(self) -> bool:
        return self.connection.status().phase == "connected"

    async def stop(self) -> float:
        """How long stopping took, in seconds."""
        began = time.monotonic()
        await asyncio.to_thread(self.connection.stop)
        return time.monotonic() - began


@asynccontextmanager
async def line_to(
    url: str, app_id: str = "cli_x", secret: str = "canary-secret", **options: Any
) -> AsyncIterator[Line]:
    line = Line(url, app_id, secret, **options)
    line.connection.start()
    try:
        yield line
    finally:
        line.inbox.release()
        await line.stop()


@asynccontextmanager
async def sandboxed(*, line: dict[str, Any] | None = None, **given: Any) -> AsyncIterator[tuple[Sandbox, Line]]:
    """A sandbox and a connection to it."""
    async with Sandbox(SandboxConfig(scenario="quiet", **given)) as sandbox:
        app = sandbox.world.app
        async with line_to(sandbox.url, app.app_id, app.secret, **(line or {})) as made:
            yield sandbox, made


def say(sandbox: Sandbox, text: str = "你好") -> str:
    """Somebody says something; the message's id."""
    chat = next(iter(sandbox.world.chats.values()))
    content = orjson.dumps({"text": text}).decode()
    return sandbox.world.say(chat, next(iter(chat.members)), "text", content).message_id


def pushes(sandbox: Sandbox) -> dict[str, Any]:
    return sandbox.gateway.delivery.document()


def messages(line: Line) -> list[str]:
    return [json.loads(body)["event"]["message"]["message_id"] for body in line.inbox.bodies]
