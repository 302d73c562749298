"""The page to chat in: its files, what it asks for, and what people upload on it.

The files are plain and complete; the page asks nothing of any other place, runs no script but its own files, and shows
whatever people and apps write as text.
"""

from __future__ import annotations

import heapq
import mimetypes
from collections.abc import AsyncIterator
from functools import cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote
from uuid import uuid4

import orjson
from aiohttp import web

from . import loopback, stream
from .api.resources import DOWNLOAD_LIMIT, MAGIC
from .bitable.kinds import Terms
from .bitable.table import Record, Table
from .chat import Chat, Message, Timeline
from .conversation import Conversation
from .reply import ApiError
from .uploads import Uploads
from .world import Impossible

if TYPE_CHECKING:
    from .server import Sandbox

FILES: Final = Path(__file__).parent / "page"
LARGEST_PAGE: Final = 200
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types card"
)
GUARDED: Final = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-cache"}
SHOWN: Final = ("image/png", "image/jpeg", "image/gif", "image/webp")
"""Shown in the chat; whatever else was uploaded is only ever downloaded."""


class Pages:
    """The page of one sandbox. ``uploads`` holds what people put into their messages."""

    def __init__(self, sandbox: Sandbox, uploads: Uploads, apps: Uploads) -> None:
        self._sandbox = sandbox
        self._world = sandbox.world
        self._uploads = uploads
        self._apps = apps
        self._conversation = Conversation(sandbox.world)
        self._started = uuid4().hex
        self.stream = stream.Stream(sandbox, self._conversation)

    def add(self, router: web.UrlDispatcher) -> None:
        """Adds the routes."""
        router.add_get("/", self._front)
        router.add_get("/sandbox/page/{name}", self._file)
        router.add_get("/sandbox/stream", self.stream.serve)
        router.add_get("/sandbox/overview", self._overview)
        router.add_post("/sandbox/chats", self._open_chat)
        router.add_get("/sandbox/chats/{chat_id}/messages", self._messages)
        router.add_get("/sandbox/chats/{chat_id}/members", self._members)
        router.add_get("/sandbox/chats/{chat_id}/pins", self._pins)
        router.add_get("/sandbox/topics/{thread_id}/messages", self._topic)
        router.add_get("/sandbox/messages/{message_id}/files/{key}", self._download)
        router.add_post("/sandbox/uploads", self._upload)
        router.add_get("/sandbox/tables/{app_token}/{table_id}/rows", self._rows)
        router.add_get("/sandbox/pushes/{push_id}", self._push)

    async def _front(self, request: web.Request) -> web.Response:
        return _static(request, "index.html")

    async def _file(self, request: web.Request) -> web.Response:
        return _static(request, request.match_info["name"])

    async def _overview(self, request: web.Request) -> web.Response:
        """Who and what there is, for a page that has just been opened."""
        sandbox = self._sandbox
        document = {
            "started": self._started,  # Another one behind the same address is another world.
            "url": sandbox.url,
            "now": self._world.now(),
            **self._conversation.cast(),
            "chats": self._conversation.chats(),
            "tables": stream.tables(sandbox),
            "calls": stream.counts(sandbox),
            "state": stream.state_of(sandbox),
        }
        return loopback.answer(request, document)

    async def _open_chat(self, request: web.Request) -> web.Response:
        """``{"person"}``: the private chat of somebody and the bot, opened when there is none."""
        body = await loopback.body(request)
        person = self._world.people.get(str(body.get("person", ""))) if isinstance(body, dict) else None
        if person is None:
            raise loopback.wrong("there is no such person")
        return loopback.answer(request, self._conversation.chat(self._world.private_chat(person)))

    async def _messages(self, request: web.Request) -> web.Response:
        """A page of a chat: ``before``, ``after`` or ``around`` a message, otherwise the latest; ``limit``."""
        return self._page(request, self._chat(request).timeline)

    async def _topic(self, request: web.Request) -> web.Response:
        """A page of a topic, its opener first."""
        topic = self._world.topic(request.match_info["thread_id"])
        return self._page(request, topic if topic is not None else Timeline())

    def _page(self, request: web.Request, timeline: Timeline) -> web.Response:
        limit = min(loopback.whole(request, "limit", 50), LARGEST_PAGE)
        where = {name: request.query.get(name, "") for name in ("before", "after", "around")}
        return loopback.answer(request, self._conversation.page(timeline, **where, limit=limit))

    async def _members(self, request: web.Request) -> web.Response:
        return loopback.answer(request, {"items": self._conversation.members(self._chat(request))})

    async def _pins(self, request: web.Request) -> web.Response:
        return loopback.answer(request, {"items": self._conversation.pinned(self._chat(request))})

    async def _upload(self, request: web.Request) -> web.Response:
        """The body, called ``name``, becomes an image or a file; answers with its key for the content of a message."""
        loopback.check(request)
        name = Path(request.query.get("name", "")).name or "file"
        image = mimetypes.guess_type(name)[0] in SHOWN
        chunks: AsyncIterator[bytes] = request.content.iter_chunked(1 << 16)
        upload = await self._uploads.keep(chunks, image=image, most=DOWNLOAD_LIMIT)
        if upload is None:
            raise loopback.wrong(f"more than {DOWNLOAD_LIMIT >> 20} MB")
        if image and not upload.head.startswith(MAGIC):
            self._uploads.forget(upload.key)
            raise loopback.wrong(f"{name} is no image")
        self._uploads.name(upload.key, name)
        return loopback.answer(request, {"key": upload.key, "name": name, "image": image, "size": upload.size})

    async def _download(self, request: web.Request) -> web.StreamResponse:
        """An image or file of a message, as its readers get it."""
        loopback.check(request)
        message, key = self._world.messages.get(request.match_info["message_id"]), request.match_info["key"]
        if message is None or message.recalled or not _holds(message, key):
            raise web.HTTPNotFound(text="the file is not in the message")
        upload = self._uploads.get(key) or self._apps.get(key)
        if upload is not None:
            return web.FileResponse(upload.path, headers=_headers(upload.name))
        resource = self._world.resources.get(key)
        if resource is None:
            raise web.HTTPNotFound(text="the file is gone")
        response = web.StreamResponse(headers=_headers(resource.name))
        response.content_length = resource.size
        await response.prepare(request)
        for chunk in resource.chunks():
            await response.write(chunk)
        await response.write_eof()
        return response

    async def _rows(self, request: web.Request) -> web.Response:
        """A page of a table: ``offset``, ``limit``; with ``latest`` the records that changed last come first."""
        loopback.check(request)
        where = request.match_info
        try:
            table = self._sandbox.bases.find(where["app_token"]).table(where["table_id"])
        except ApiError as problem:
            raise loopback.wrong(problem) from problem
        offset, limit = loopback.whole(request, "offset", 0), loopback.whole(request, "limit", 50)
        limit = min(limit, LARGEST_PAGE)
        records = _records(table, offset, limit, latest=bool(loopback.whole(request, "latest", 0)))
        terms = Terms(self._world.people.get, origin=self._sandbox.url)
        document = {
            "revision": table.revision,
            "total": len(table.records),
            "fields": [{**field.shown(), "name": field.name} for field in table.fields],
            "rows": [{"id": each.record_id, "cells": table.read(each, terms)} for each in records],
        }
        return loopback.answer(request, document)

    async def _push(self, request: web.Request) -> web.Response:
        """One push with its payload, as long as it is among the latest, and what a callback was answered with."""
        push = self._sandbox.gateway.delivery.recent.get(request.match_info["push_id"])
        if push is None:
            raise web.HTTPNotFound(text="that push is no longer among the latest")
        document = {**stream.push_document(push), "payload": orjson.loads(push.payload)}
        if push.answer:
            document["answer"] = _read(push.answer)
        return loopback.answer(request, document)

    def _chat(self, request: web.Request) -> Chat:
        try:
            return self._world.chat(request.match_info["chat_id"])
        except Impossible as problem:
            raise web.HTTPNotFound(text=str(problem)) from problem


def _read(answer: bytes) -> Any:
    try:
        return orjson.loads(answer)
    except orjson.JSONDecodeError:
        return answer.decode(errors="replace")


def _records(table: Table, offset: int, limit: int, *, latest: bool) -> list[Record]:
    if not latest:
        return list(islice(table.records.values(), offset, offset + limit))
    return heapq.nlargest(offset + limit, table.records.values(), key=_changed)[offset:]


def _changed(record: Record) -> tuple[int, int]:
    return record.modified, record.number


def _holds(message: Message, key: str) -> bool:
    return f'"{key}"' in message.content or f'"{key}"' in message.card


def _headers(name: str) -> dict[str, str]:
    guessed = mimetypes.guess_type(name)[0]
    shown = guessed in SHOWN
    return {
        "Content-Type": guessed if guessed is not None and shown else "application/octet-stream",
        "Content-Disposition": f"{'inline' if shown else 'attachment'}; filename*=UTF-8''{quote(name)}",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "private, max-age=3600",
    }


@cache
def _known() -> dict[str, str]:
    """Every file of the page, with its media type."""
    kinds = {".js": "text/javascript", ".css": "text/css", ".html": "text/html", ".svg": "image/svg+xml"}
    return {file.name: kinds[file.suffix] for file in FILES.iterdir() if file.suffix in kinds}


def _static(request: web.Request, name: str) -> web.Response:
    loopback.check(request)
    kind = _known().get(name)
    if kind is None:
        raise web.HTTPNotFound(text=f"there is no {name} here")
    headers: dict[str, Any] = {**GUARDED, "Content-Security-Policy": POLICY}
    return web.Response(body=(FILES / name).read_bytes(), content_type=kind, charset="utf-8", headers=headers)
