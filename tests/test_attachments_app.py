"""Attachments in the running program: from a hook's ``ctx.attach`` to the event that tells the outcome."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from attachment_stage import MB, PART, PREPARE, RESOURCE, UPLOAD
from sandbox_client import until
from unruly import UnrulySandbox

from core import Config, Context, Event, Json, Manifest, Message, Table, Text, Undeclared
from core.app import Application, Left
from core.context import STATE
from core.loading.plugins import Hook, Plugin
from core.settings import load_settings
from core.storage import open_engine
from sandbox.config import SandboxConfig
from sandbox.endpoint import Answer, Call
from sandbox.scenario.act import Resource

FILES = Table("files", (Text("message"), Json("outcomes")), key=("message",))


async def archive(message: Message, ctx: Context[Any]) -> None:
    ctx.table(FILES).set(message.id, outcomes=[])
    if message.message_type == "file":
        ctx.attach(message.id, message.content["file_key"], "file", message.content["file_name"])
    if message.content.get("text") == "fail":
        ctx.attach(message.id, "file_v3_never", "file")
        raise KeyError("a bug")


async def note(event: Event, ctx: Context[Any]) -> None:
    row = ctx.table(FILES).get(event.event["message_id"]) or {"outcomes": []}
    ctx.table(FILES).set(event.event["message_id"], outcomes=[*row["outcomes"], event.event])


def collector(name: str) -> Plugin:
    """A plugin that asks for every file and notes what it is told."""
    manifest = Manifest(name, "a test", ("im:message:readonly",), tables=(FILES,), events=("attachment.done",))
    hooks = {"on_message": archive, "on_event": note}
    wanted = {hook: Hook(call, tuple(inspect.signature(call).parameters)) for hook, call in hooks.items()}
    return Plugin(manifest, Config(), wanted, {})


def post(sandbox: UnrulySandbox, size: int = 1000, text: str = "") -> str:
    """Somebody sends a file, or a text: the message's ID."""
    world = sandbox.world
    chat = next(iter(world.chats.values()))
    key = f"file_v3_{len(world.resources):06d}_app"
    content, kind = {"file_key": key, "file_name": "报告.pdf"}, "file"
    if text:
        content, kind = {"text": text}, "text"
    else:
        world.resources[key] = Resource(key, "报告.pdf", "file", size, seed=1)
    return world.say(chat, next(iter(chat.members)), kind, orjson.dumps(content).decode()).message_id


def environment(sandbox: UnrulySandbox, directory: Path, **more: str) -> dict[str, str]:
    fast = {"RETRY_DELAY": "0.02", "API_MONTHLY_QUOTA": "1000000", "CHAT_ID": ""}
    return {**sandbox.environment(), **fast, "DATA_DIR": str(directory), **more}


@asynccontextmanager
async def running(
    sandbox: UnrulySandbox, directory: Path, *names: str, **more: str
) -> AsyncIterator[tuple[Application, asyncio.Task[Left]]]:
    settings = load_settings(environment(sandbox, directory, **more), needs_credentials=True)
    application = Application(settings, [collector(name) for name in names or ("archive",)])
    ended = asyncio.create_task(application.run())
    try:
        await until(lambda: all(one._phase == "running" for one in application.consumers))
        yield application, ended
    finally:
        application.stop()
        await asyncio.wait([ended])


def found(directory: Path, plugin: str = "archive") -> dict[str, list[dict[str, Any]]]:
    """What the plugin was told, by message."""
    with open_engine(directory) as engine:
        store = engine.store()
        rows = {row["message"]: row["outcomes"] for row in store.scan(plugin, FILES)}
        store.close()
    return rows


@asynccontextmanager
async def platform() -> AsyncIterator[UnrulySandbox]:
    async with UnrulySandbox(SandboxConfig(scenario="quiet", rate_limits=False)) as sandbox:
        yield sandbox


async def test_each_plugin_is_told_about_what_it_asked_for_and_files_go_once(tmp_path: Path) -> None:
    async with platform() as sandbox, running(sandbox, tmp_path, "archive", "pin") as (application, ended):
        messages = [post(sandbox) for _ in range(5)]
        await sandbox.gateway.delivery.emptied()
        await until(lambda: application.status().attachments.done == 5 and application.idle)
        application.stop()
        assert str(await ended) == "Nothing is left to do."
        assert (len(sandbox.seen[RESOURCE]), len(sandbox.seen[UPLOAD])) == (5, 5)
        told = {name: found(tmp_path, name) for name in ("archive", "pin")}
        for name, rows in told.items():
            assert set(rows) == set(messages)
            assert [len(outcomes) for outcomes in rows.values()] == [1] * 5
            assert {outcome["plugin"] for (outcome,) in rows.values()} == {name}
        tokens = {outcome["file_token"] for rows in told.values() for (outcome,) in rows.values()}
        assert len(tokens) == 5
        assert all(sandbox.media.find(token) for token in tokens)


async def test_what_a_failed_hook_asked_for_is_not_fetched(tmp_path: Path) -> None:
    async with platform() as sandbox, running(sandbox, tmp_path) as (application, _):
        post(sandbox, text="fail")
        message = post(sandbox)
        await sandbox.gateway.delivery.emptied()
        await until(lambda: bool(found(tmp_path).get(message)))
        assert application.consumers[0]._attempts == 1
        assert [call.path["message_id"] for call in sandbox.seen[RESOURCE]] == [message]


async def test_a_program_stopped_in_the_middle_of_parts_goes_on_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.attachments.fetching.GRACE", 0.05)
    released = asyncio.Event()

    async def hang(call: Call, answer: Answer) -> Any:
        await released.wait()
        return await answer(call)

    async def go(call: Call, answer: Answer) -> Any:
        return await answer(call)

    async with platform() as sandbox:
        async with running(sandbox, tmp_path) as (application, ended):
            sandbox.troubles[PART].extend([go, go, hang])
            message = post(sandbox, 21 * MB)
            await until(lambda: len(sandbox.seen[PART]) == 3)
            assert not application.idle
            application.stop()
            assert str(await ended) == "Left for the next start: 1 attachments to fetch."
        released.set()
        async with running(sandbox, tmp_path) as (application, ended):
            await until(lambda: bool(found(tmp_path)[message]))
            await until(lambda: application.idle)
            application.stop()
            assert str(await ended) == "Nothing is left to do."
        (outcome,) = found(tmp_path)[message]
        assert (outcome["problem"], outcome["size"]) == ("", 21 * MB)
        assert sandbox.media.find(outcome["file_token"])
        assert [len(sandbox.seen[name]) for name in (RESOURCE, PREPARE, PART)] == [1, 1, 7]


async def test_what_waits_for_the_budget_leaves_the_program_idle_and_is_said_at_the_end(tmp_path: Path) -> None:
    async with platform() as sandbox, running(sandbox, tmp_path, API_MONTHLY_QUOTA="60") as (application, ended):
        for _ in range(20):
            post(sandbox)
        await sandbox.gateway.delivery.emptied()
        await until(lambda: application.status().attachments.for_budget and application.idle)
        waiting = application.status().attachments.waiting
        assert 10 <= waiting < 20
        application.stop()
        assert str(await ended) == f"Left for the next start: {waiting} attachments to fetch."


async def test_the_status_says_what_became_of_them(tmp_path: Path) -> None:
    async with platform() as sandbox, running(sandbox, tmp_path, ATTACHMENTS="local") as (application, _):
        gone = post(sandbox)
        sandbox.world.messages[gone].recalled = True
        post(sandbox, 2000)
        await sandbox.gateway.delivery.emptied()
        await until(lambda: application.status().attachments.done == 1 and application.idle)
        status = orjson.loads(orjson.dumps(application.status()))["attachments"]
        assert status == {
            "mode": "local",
            "waiting": 0,
            "for_budget": False,
            "done": 1,
            "bytes": 2000,
            "failed": 1,
            "problem": "",
        }


@contextmanager
def context(directory: Path, **declared: Any) -> Iterator[Context[Any]]:
    store = open_engine(directory).store()
    store.prepare("probe", (STATE,))
    given: dict[str, Any] = {"timezone": ZoneInfo("Asia/Shanghai"), "clock": lambda: 0, "status": lambda: None}
    yield Context(Manifest("probe", "a test", **declared), Config(), store, log=SimpleNamespace(), **given)  # type: ignore[arg-type]
    store.close()


def test_attach_has_to_be_declared(tmp_path: Path) -> None:
    with context(tmp_path, permissions=("im:message:readonly",)) as ctx, pytest.raises(Undeclared, match="attachment"):
        ctx.attach("om_1", "file_1", "file")


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        (("", "file_1", "file"), ValueError),
        (("om_1", "", "file"), ValueError),
        (("om_1", "file_1", "sticker"), ValueError),
        (("om_1", "file_1", "file", "\ud800"), TypeError),
        (("om_1", "file_1", "file", None), TypeError),
    ],
)
def test_an_unsound_request_is_refused_where_it_is_made(tmp_path: Path, asked: Any, error: type[Exception]) -> None:
    with context(tmp_path, permissions=("im:message:readonly",), events=("attachment.done",)) as ctx:
        with pytest.raises(error):
            ctx.attach(*asked)
        assert ctx.unit.attachments == []
        ctx.attach("om_1", "file_1", "image")
        assert [tuple(one) for one in ctx.unit.attachments] == [("om_1", "file_1", "image", "")]


def test_no_plugin_may_be_named_as_the_kernels_own_events() -> None:
    with pytest.raises(ValueError, match="the kernel publishes"):
        Manifest("attachment", "a test")
