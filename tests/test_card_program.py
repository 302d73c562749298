"""Somebody presses a button and the whole program answers: in time, late, once, and never at the cost of others."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from consumer_bench import SEEN
from consumer_bench import plugin as made
from sandbox_client import until

from core import CardAction, Config, Context, Message, Retry
from core.app import Application
from core.loading.plugins import Hook, Plugin
from core.settings import load_settings
from sandbox import card_use
from sandbox.config import SandboxConfig
from sandbox.server import Sandbox

OnCard = Callable[[CardAction, Context[Any]], Awaitable[None]]
CALLED = ("on_message", "on_card")

DONE = {"schema": "2.0", "body": {"elements": [{"tag": "markdown", "content": "好了"}]}}
NOTHING: dict[str, Any] = {"code": 0, "msg": "", "answer": {}, "toast": None, "card": False}


class Stage:
    """A sandbox with one card in its group, and the program."""

    def __init__(self, sandbox: Sandbox, application: Application) -> None:
        self.sandbox = sandbox
        self.application = application
        world = sandbox.world
        self.chat = next(iter(world.chats.values()))
        self.card = world.say(self.chat, world.app.app_id, "interactive", "{}", card="{}")

    async def press(self, **value: Any) -> dict[str, Any]:
        """What who presses sees."""
        return await self.use({"tag": "button", "value": value})

    async def use(self, action: dict[str, Any]) -> dict[str, Any]:
        return await self.sandbox.presses.use(self.card, next(iter(self.chat.members)), action)

    def say(self, text: str = "你好") -> None:
        content = orjson.dumps({"text": text}).decode()
        self.sandbox.world.say(self.chat, next(iter(self.chat.members)), "text", content)

    def seen(self, name: str) -> dict[str, int]:
        return {row["message"]: row["times"] for row in self.application._store.scan(name, SEEN)}

    async def handled(self) -> None:
        application = self.application
        await until(lambda: all(one.idle_at >= application.journal.head for one in application.consumers))


@asynccontextmanager
async def stage(directory: Path, *plugins: Plugin, patience: float | None = None) -> AsyncIterator[Stage]:
    async with Sandbox(SandboxConfig(scenario="quiet", rate_limits=False)) as sandbox:
        more = {"RETRY_DELAY": "0.02", "CHAT_ID": "", "DATA_DIR": str(directory), "BITABLE_APP_TOKEN": ""}
        settings = load_settings({**sandbox.environment(), **more}, needs_credentials=True)
        application = Application(settings, plugins)
        if patience is not None:
            application._answers._patience = patience
        running = asyncio.create_task(application.run())
        try:
            await until(lambda: sandbox.gateway.delivery.choose() is not None)
            await until(lambda: all(one._phase == "running" for one in application.consumers))
            yield Stage(sandbox, application)
        finally:
            application.stop()
            await asyncio.wait([running])


def answering(name: str, on_card: OnCard, **more: Any) -> Plugin:
    return made(name, on_card=on_card, **more)


def saying(toast: str, **more: Any) -> OnCard:
    """Counts the use and answers."""

    async def on_card(action: CardAction, ctx: Context[Any]) -> None:
        ctx.table(SEEN).add(action.event_id, times=1)
        ctx.answer(toast, **more)

    return on_card


async def test_the_toast_and_the_card_are_shown_in_time_and_all_is_stored(tmp_path: Path) -> None:
    async with stage(tmp_path, answering("one", saying("已保存", kind="success", card=DONE))) as on:
        began = time.monotonic()
        seen = await on.press(op="go")
        assert time.monotonic() - began < 2
        assert (seen["code"], seen["card"]) == (0, True)
        assert seen["toast"] == {"type": "success", "content": "已保存"}
        assert json.loads(on.card.card) == DONE
        assert list(on.seen("one").values()) == [1]


async def test_without_a_plugin_for_cards_the_answer_is_empty_and_immediate(tmp_path: Path) -> None:
    async def on_message(message: Message) -> None:
        pass

    async with stage(tmp_path, made("one", on_message=on_message), patience=60) as on:
        assert await on.press() == NOTHING | {"answer": None}


async def test_the_first_of_two_answers_is_shown_and_both_are_stored(tmp_path: Path) -> None:
    first = threading.Event()

    async def after_the_other(action: CardAction, ctx: Context[Any]) -> None:
        await asyncio.to_thread(first.wait)
        await saying("我也是")(action, ctx)

    plugins = answering("quick", saying("我先")), answering("slow", after_the_other)
    async with stage(tmp_path, *plugins) as on:
        assert (await on.press())["toast"]["content"] == "我先"
        first.set()
        await on.handled()
        assert [list(on.seen(name).values()) for name in ("quick", "slow")] == [[1], [1]]


async def test_when_no_plugin_has_anything_to_say_nobody_waits_for_the_deadline(tmp_path: Path) -> None:
    async def silent(action: CardAction, ctx: Context[Any]) -> None:
        ctx.table(SEEN).add(action.event_id, times=1)

    async with stage(tmp_path, answering("one", silent), answering("two", silent), patience=60) as on:
        assert await on.press() == NOTHING


async def test_a_hook_that_fails_shows_nothing_and_what_its_retry_says_comes_too_late(tmp_path: Path) -> None:
    attempts: list[str] = []

    async def on_card(action: CardAction, ctx: Context[Any]) -> None:
        attempts.append(action.event_id)
        await saying("已保存", card=DONE)(action, ctx)
        if len(attempts) == 1:
            raise Retry(after=0.1)

    async with stage(tmp_path, answering("one", on_card), patience=60) as on:
        assert await on.press() == NOTHING
        await until(lambda: on.seen("one") == {attempts[0]: 1})
        assert (len(attempts), on.card.card) == (2, "{}")


async def test_a_plugin_that_hangs_delays_no_acknowledgement_and_the_button_is_let_go(tmp_path: Path) -> None:
    on_it, go_on = threading.Event(), threading.Event()

    async def hanging(action: CardAction, ctx: Context[Any]) -> None:
        on_it.set()
        go_on.wait(20)
        await saying("太晚了", card=DONE)(action, ctx)

    async with stage(tmp_path, answering("one", hanging), patience=0.4) as on:
        pressing = asyncio.create_task(on.press())
        await asyncio.to_thread(on_it.wait, 10)
        for _ in range(20):
            on.say()
        await until(lambda: on.sandbox.gateway.delivery.document()["acked"] == 20)
        assert await pressing == NOTHING
        go_on.set()
        await on.handled()
        assert (list(on.seen("one").values()), on.card.card) == ([1], "{}")


async def test_a_use_that_waits_is_answered_while_the_program_stops(tmp_path: Path) -> None:
    on_it, go_on = threading.Event(), threading.Event()

    async def slow(action: CardAction, ctx: Context[Any]) -> None:
        on_it.set()
        go_on.wait(20)
        await saying("好")(action, ctx)

    async with stage(tmp_path, answering("one", slow)) as on:
        pressing = asyncio.create_task(on.press())
        await asyncio.to_thread(on_it.wait, 10)
        on.application.stop()
        go_on.set()
        assert (await pressing)["toast"]["content"] == "好"


async def test_an_answer_may_tell_what_another_plugin_has_counted(tmp_path: Path) -> None:
    async def on_message(message: Message, ctx: Context[Any]) -> None:
        ctx.table(SEEN).add("all", times=1)

    async def on_card(action: CardAction, ctx: Context[Any]) -> None:
        there, away = ctx.read("counter.seen"), ctx.read("away.seen")
        row = there.get("all") if there is not None else None
        ctx.answer(f"{row['times'] if row else 0} 条，{away}")

    teller = answering("teller", on_card, tables=(), reads=("counter.seen", "away.seen"))
    async with stage(tmp_path, made("counter", on_message=on_message), teller) as on:
        assert (await on.press())["toast"]["content"] == "0 条，None"
        on.say()
        on.say()
        await on.sandbox.gateway.delivery.emptied()
        await on.handled()
        assert (await on.press())["toast"]["content"] == "2 条，None"


def example(name: str) -> dict[str, Any]:
    """The module of the plugin of that name on the page for authors."""
    page = (Path(__file__).parent.parent / "docs" / "cards.md").read_text("utf-8")
    (source,) = [block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if f'name="{name}"' in block]
    module: dict[str, Any] = {}
    exec(compile(source, "docs/cards.md", "exec"), module)
    return module


async def test_the_example_of_the_documentation_asks_and_counts(tmp_path: Path) -> None:
    module = example("votes")
    hooks = {name: Hook(module[name], (name.removeprefix("on_").replace("card", "action"), "ctx")) for name in CALLED}
    async with stage(tmp_path, Plugin(module["manifest"], Config(), hooks, {})) as on:
        on.say("去爬山？")
        world = on.sandbox.world
        await until(lambda: any(each.card and each is not on.card for each in world.messages.values()))
        on.card = next(each for each in world.messages.values() if each.card and each is not on.card)
        seen = await on.use(card_use.action(json.loads(on.card.card), "同意"))
        assert (seen["toast"]["content"], seen["card"]) == ("记下了", True)
        with pytest.raises(card_use.Unusable, match="disabled"):
            card_use.action(json.loads(on.card.card), "同意")
        rows = list(on.application._store.scan("votes", module["VOTES"]))
        assert [(row["message_id"], row["yes"]) for row in rows] == [(on.card.message_id, 1)]
