"""Messages that plugins want sent: once each, in order, until the platform takes or refuses them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from api_client import Clock, client_of
from consumer_bench import Bench, plugin
from feishu_events import message
from sandbox_client import Client, running

from core import Context, Message
from core.errors import ApiError, QuotaExhausted, Unreachable
from core.feishu.transport import Api
from core.outbox import KEPT, MOST_ATTEMPTS, Outbox, uuid_of
from core.storage import open_engine
from core.storage.protocol import StoreHandle
from core.storage.values import Commit, OutboxCount, Outgoing


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreHandle]:
    store = open_engine(tmp_path).store()
    store.cursor("pin", 0)
    yield store
    store.close()


def ask(store: StoreHandle, *messages: Outgoing, now: int = 0) -> None:
    store.commit(Commit(plugin="pin", expected=0, cursor=0, now=now, outgoing=messages))


def text(key: str, words: str = "你好", chat: str = "", reply_to: str = "") -> Outgoing:
    return Outgoing(key, chat, reply_to, "text", orjson.dumps({"text": words}))


@asynccontextmanager
async def at_work(store: StoreHandle) -> AsyncIterator[tuple[Client, Outbox, Clock]]:
    async with running() as client, client_of(client.sandbox) as (api, _):
        clock = Clock(1_000_000)
        yield client, Outbox(api, store, clock=clock, backoff=float), clock


def said(client: Client) -> list[str]:
    """What the app said in the group, in order."""
    messages = client.sandbox.world.messages.values()
    return [orjson.loads(one.content)["text"] for one in messages if one.sender == client.sandbox.world.app.app_id]


class Refusing(Api):
    """Answers every call with the next of some errors, and with success when they are over."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.uuids: list[str] = []

    async def call(self, operation: Any, **request: Any) -> dict[str, Any]:
        self.uuids.append(request["body"]["uuid"])
        if self.errors:
            raise self.errors.pop(0)
        return {"message_id": "om_sent"}


async def test_messages_are_sent_in_order_and_replies_go_to_their_message(store: StoreHandle) -> None:
    async with at_work(store) as (client, outbox, _):
        asked = client.say("问题")
        ask(
            store,
            *(text(f"k{n}", f"第{n}", client.chat_id) for n in range(7)),
            text("r", "回答", client.chat_id, asked.message_id),
        )
        while await outbox.send_due():
            pass
        assert [one for one in said(client) if one != "回答"] == [f"第{n}" for n in range(7)]
        (answer,) = [one for one in client.sandbox.world.messages.values() if one.parent == asked.message_id]
        assert orjson.loads(answer.content) == {"text": "回答"}
        assert store.outbox() == [OutboxCount("pin", 0, 0, "")]


async def test_a_key_makes_a_message_single_also_after_it_was_sent(store: StoreHandle) -> None:
    async with at_work(store) as (client, outbox, clock):
        for _ in range(3):
            ask(store, text("same", "一次", client.chat_id), text("same", "一次", client.chat_id))
            await outbox.send_due()
            clock.now += 7_200_000  # Longer than the platform remembers a uuid.
        assert said(client) == ["一次"]


async def test_what_the_platform_refuses_is_given_up_and_told(store: StoreHandle) -> None:
    async with at_work(store) as (client, outbox, _):
        ask(store, text("lost", chat="oc_nowhere"), text("fine", "到了", client.chat_id))
        await outbox.send_due()
        assert said(client) == ["到了"]
        (count,) = store.outbox()
        assert (count.waiting, count.failed) == (0, 1)
        assert count.problem.startswith("im.v1.message.create: 230")


async def test_a_lost_answer_is_repeated_with_the_same_uuid(store: StoreHandle) -> None:
    api, clock = Refusing(Unreachable("cut off"), Unreachable("cut off")), Clock(0)
    outbox = Outbox(api, store, clock=clock, backoff=lambda attempts: 60.0 * attempts)
    ask(store, text("once", chat="oc_a"))
    await outbox.send_due()
    assert store.outbox() == [OutboxCount("pin", 1, 0, "cut off")]
    clock.now = 59_999
    assert not await outbox.send_due()
    clock.now = 60_000
    await outbox.send_due()
    clock.now += 120_000
    await outbox.send_due()
    assert api.uuids == [uuid_of("pin", "once")] * 3
    assert len(api.uuids[0]) <= 50
    assert store.outbox() == [OutboxCount("pin", 0, 0, "")]


async def test_a_message_that_waits_holds_back_those_after_it_in_its_chat_only(store: StoreHandle) -> None:
    api, clock = Refusing(ApiError("send", 230020, "too many")), Clock(0)
    outbox = Outbox(api, store, clock=clock, backoff=lambda _: 60.0)
    ask(store, text("a1", chat="oc_a"), text("a2", chat="oc_a"), text("b1", chat="oc_b"))
    while await outbox.send_due():
        pass
    assert api.uuids == [uuid_of("pin", key) for key in ("a1", "b1")]
    clock.now = 60_000
    while await outbox.send_due():
        pass
    assert api.uuids[2:] == [uuid_of("pin", key) for key in ("a1", "a2")]


async def test_refusals_that_may_pass_are_tried_again_but_not_for_ever(store: StoreHandle) -> None:
    api, clock = Refusing(*[ApiError("send", 230020, "too many")] * 50), Clock(0)
    outbox = Outbox(api, store, clock=clock, backoff=lambda _: 0.0)
    ask(store, text("never", chat="oc_a"))
    while await outbox.send_due():
        pass
    assert len(api.uuids) == MOST_ATTEMPTS
    assert store.outbox() == [OutboxCount("pin", 0, 1, "send: 230020 too many")]


async def test_while_the_app_is_refused_everything_waits(store: StoreHandle) -> None:
    async with at_work(store) as (client, outbox, clock):
        app = client.sandbox.world.app
        app.enabled = False
        ask(store, *(text(f"k{n}", f"第{n}", client.chat_id) for n in range(3)), text("other", chat="oc_other"))
        for _ in range(2 * MOST_ATTEMPTS):
            while await outbox.send_due():
                pass
            clock.now += 3_600_000
        (count,) = store.outbox()
        assert (count.waiting, count.failed) == (4, 0)
        assert "10014" in count.problem
        app.enabled = True
        while await outbox.send_due():
            pass
        clock.now += 3_600_000
        while await outbox.send_due():
            pass
        assert said(client) == ["第0", "第1", "第2"]


async def test_a_fault_of_the_platform_that_lasts_an_hour_loses_no_message(store: StoreHandle) -> None:
    api, clock = Refusing(*[ApiError("send", 2200, "x", status=500, passing=True)] * (3 * MOST_ATTEMPTS)), Clock(0)
    outbox = Outbox(api, store, clock=clock, backoff=lambda _: 0.0)
    ask(store, text("late", chat="oc_a"))
    while await outbox.send_due():
        pass
    assert len(api.uuids) == 3 * MOST_ATTEMPTS + 1
    assert store.outbox() == [OutboxCount("pin", 0, 0, "")]


async def test_without_quota_a_message_waits(store: StoreHandle) -> None:
    api, clock = Refusing(QuotaExhausted("all used")), Clock(0)
    outbox = Outbox(api, store, clock=clock, backoff=lambda _: 0.0)
    ask(store, text("later", chat="oc_a"))
    await outbox.send_due()
    assert not await outbox.send_due()
    clock.now = 3_600_000
    assert await outbox.send_due()
    assert store.outbox() == [OutboxCount("pin", 0, 0, "")]


async def test_sent_messages_are_forgotten_after_a_month(store: StoreHandle) -> None:
    clock = Clock(0)
    ask(store, text("old", chat="oc_a"), text("waiting", chat="oc_b"))
    (unsent, _) = store.unsent(clock.now, 10)
    store.sent(unsent.id, "om_1", clock.now)
    store.forget_sent(KEPT)
    ask(store, text("old", chat="oc_a"))
    assert {one.message.key for one in store.unsent(clock.now, 10)} == {"waiting", "old"}


def test_a_hook_that_fails_sends_nothing(tmp_path: Path) -> None:
    async def on_message(message: Message, ctx: Context[Any]) -> None:
        ctx.send(message.chat_id, "text", {"text": "收到"}, key=message.id)
        if message.id == "om_2":
            raise ValueError("no")

    with Bench(tmp_path / "data") as bench:
        bench.arrive(*(message(f"om_{number}") for number in (1, 2, 3)))
        bench.run(plugin("pin", on_message=on_message, permissions=("im:message:send_as_bot",)))
        waiting = bench.store.unsent(bench.now, 10)
        assert [one.message.key for one in waiting] == ["om_1"]
        bench.store.sent(waiting[0].id, "om_x", bench.now)
        assert [one.message.key for one in bench.store.unsent(bench.now, 10)] == ["om_3"]


@pytest.mark.parametrize("wrong", [{"key": ""}, {"key": "k", "chat_id": ""}])
def test_a_message_without_a_key_or_a_place_is_refused(tmp_path: Path, wrong: dict[str, str]) -> None:
    told: list[str] = []

    async def startup(ctx: Context[Any]) -> None:
        with pytest.raises(ValueError, match="a message needs a key and a chat_id") as error:
            ctx.send(wrong.get("chat_id", "oc_a"), "text", {"text": ""}, key=wrong["key"])
        told.append(str(error.value))

    with Bench(tmp_path / "data") as bench:
        bench.run(plugin("pin", startup=startup, permissions=("im:message:send_as_bot",)))
    assert len(told) == 1
