"""Answering who used a card: in time or not at all, after the commit, the first of several, nothing of what failed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from consumer_bench import SEEN, Bench, Step, plugin, until
from faulty_disk import BROKEN, FaultyDisk
from feishu_events import GROUP, card_action, message, pushed
from log_lines import logged

from core import CardAction, Context, Event, Message, Retry
from core.running.answers import Answers
from core.storage.sqlite import SqliteEngine
from core.unit import NOTHING, Answer

TOAST = {"toast": {"type": "success", "content": "已保存"}}


def both() -> list[str]:
    return ["one", "other"]


async def expected(answers: Answers, event_id: str) -> asyncio.Future[bytes]:
    reply = answers.expect(card_action(event_id=event_id))
    assert reply is not None
    return reply


async def test_only_a_use_of_a_card_that_a_plugin_is_handed_is_waited_for() -> None:
    answers = Answers(both)
    assert answers.expect(message("om_1")) is None
    assert answers.expect(message("om_1", text="card.action.trigger")) is None
    assert answers.expect(pushed("card.action.trigger", {"operator": {}})) is None
    assert answers.expect(b"card.action.trigger") is None
    assert Answers(list).expect(card_action()) is None
    assert answers.expect(card_action()) is not None


async def test_an_answer_of_another_thread_is_heard_and_the_next_one_is_dropped() -> None:
    answers = Answers(both)
    reply = await expected(answers, "e1")
    for name, body in (("one", b"1"), ("other", b"2")):
        await asyncio.to_thread(answers.bring, name, [Answer("e1", body)])
    with logged() as lines:
        assert await reply == b"1"
        answers.bring("other", [Answer("e1", b"3")])
    assert ["DEBUG Plugin other answered e1 when nobody waited for it any more." in line for line in lines] == [True]


async def test_nothing_is_shown_once_every_plugin_is_done_with_it() -> None:
    answers = Answers(both, patience=60)
    reply = await expected(answers, "e1")
    answers.bring("one", [Answer("e1", b"")])
    answers.bring("one", [Answer("e1", b"")])
    await asyncio.sleep(0)
    assert not reply.done()
    answers.bring("other", [Answer("e2", b"x"), Answer("e1", b"")])
    assert await asyncio.wait_for(reply, 5) == NOTHING


async def test_a_plugin_may_answer_after_another_was_done_with_it() -> None:
    answers = Answers(both, patience=60)
    reply = await expected(answers, "e1")
    answers.bring("one", [Answer("e1", b"")])
    answers.bring("other", [Answer("e1", b"2"), Answer("e1", b"")])
    assert await asyncio.wait_for(reply, 5) == b"2"


async def test_when_the_time_is_up_nothing_is_shown_and_a_late_answer_is_logged() -> None:
    answers = Answers(both, patience=0.01)
    assert await asyncio.wait_for(await expected(answers, "e1"), 5) == NOTHING
    with logged() as lines:
        answers.bring("one", [Answer("e1", b"1"), Answer("e1", b"")])
    assert len([line for line in lines if "answered e1" in line]) == 1


async def test_the_same_use_pushed_twice_gets_the_same_answer() -> None:
    answers = Answers(both)
    first, second = await expected(answers, "e1"), await expected(answers, "e1")
    answers.bring("one", [Answer("e1", b"1")])
    assert await first == await second == b"1"


def test_an_answer_for_a_connection_that_has_ended_is_nobodys() -> None:
    answers = Answers(both)
    asyncio.run(expected(answers, "e1"))
    answers.bring("one", [Answer("e1", b"1")])


class Heard:
    """What consumers brought, and what was stored at that time."""

    def __init__(self, bench: Bench) -> None:
        self.brought: list[tuple[str, str, bytes]] = []
        self.stored: list[int] = []
        self._bench = bench
        self._lock = threading.Lock()

    def __call__(self, name: str, answers: Sequence[Answer]) -> None:
        engine = self._bench._engine
        with self._lock:
            store = engine.store()
            self.stored.append(len(list(store.scan(name, SEEN))))
            store.close()
            self.brought += [(name, *answer) for answer in answers]

    @property
    def spoken(self) -> list[tuple[str, Any]]:
        """Who showed what."""
        return [(name, orjson.loads(body)) for name, _, body in self.brought if body]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Bench(tmp_path / "data") as bench:
        yield bench


@pytest.fixture
def heard(bench: Bench) -> Heard:
    return Heard(bench)


async def counted(action: CardAction, ctx: Context[Any]) -> None:
    ctx.table(SEEN).add(action.event_id, times=1)
    ctx.answer("已保存", kind="success")


def test_an_answer_is_brought_after_the_commit(bench: Bench, heard: Heard) -> None:
    bench.arrive(card_action(event_id="e1"))
    bench.run(plugin(on_card=counted), on_answered=heard)
    assert heard.spoken == [("tester", TOAST)]
    assert heard.brought[-1] == ("tester", "e1", b"")
    assert heard.stored == [1]


def test_who_waits_for_an_answer_does_not_wait_for_the_rest_of_the_batch(bench: Bench, heard: Heard) -> None:
    step = Step()

    async def on_message(message: Message, ctx: Context[Any]) -> None:
        step()

    bench.arrive(card_action(event_id="e1"), message("om_1"))
    bench.start(plugin(on_card=counted, on_message=on_message), on_answered=heard)
    step.reached()
    assert heard.spoken == [("tester", TOAST)]
    step.go_on()
    bench.finish()


def test_a_hook_that_fails_shows_nothing_and_its_second_attempt_may(bench: Bench, heard: Heard) -> None:
    attempts: list[str] = []

    async def on_card(action: CardAction, ctx: Context[Any]) -> None:
        attempts.append(action.event_id)
        await counted(action, ctx)
        if len(attempts) == 1:
            raise Retry(after=60)

    bench.arrive(card_action(event_id="e1"))
    consumer = bench.run(plugin(on_card=on_card), on_answered=heard)
    assert (heard.brought, heard.stored) == ([("tester", "e1", b"")], [0])
    bench.advance(61)
    until(lambda: bench.status(consumer).retrying == 0, "the second attempt")
    bench.finish()
    assert (attempts, heard.spoken, bench.seen()) == (["e1", "e1"], [("tester", TOAST)], {"e1": 1})


def test_what_could_not_be_stored_is_not_shown_until_it_is(tmp_path: Path) -> None:
    disk, step = FaultyDisk(), Step()

    async def on_card(action: CardAction, ctx: Context[Any]) -> None:
        await counted(action, ctx)
        step()

    with Bench(tmp_path / "data", SqliteEngine(tmp_path / "data", disk.connect)) as bench:
        heard = Heard(bench)
        consumer = bench.start(plugin(on_card=on_card), on_answered=heard)
        bench.arrive(card_action(event_id="e1"))
        step.reached()
        disk.fault = BROKEN
        step.go_on()
        until(lambda: bench.status(consumer).problem, "the commit to fail")
        assert heard.brought == []
        disk.fault = None
        bench.finish_in_time()
        assert (heard.spoken, heard.stored) == ([("tester", TOAST)], [1])


def test_after_a_kill_the_use_is_handled_and_its_answer_is_nobodys(bench: Bench, tmp_path: Path) -> None:
    step = Step()

    async def on_card(action: CardAction, ctx: Context[Any]) -> None:
        await counted(action, ctx)
        step()

    heard = Heard(bench)
    bench.start(plugin(on_card=on_card), on_answered=heard)
    bench.arrive(card_action(event_id="e1"))
    step.reached()
    image = bench.image(tmp_path / "killed")
    assert heard.brought == []
    step.go_on()
    with Bench(image) as after, logged() as lines:
        after.run(plugin(on_card=counted), on_answered=Answers(both).bring)
        assert after.seen() == {"e1": 1}
    assert len([line for line in lines if "answered e1 when nobody waited" in line]) == 1


def test_a_card_works_wherever_the_bot_sent_it(tmp_path: Path) -> None:
    with Bench(tmp_path / "data", chats=(GROUP,)) as bench:
        bench.arrive(card_action(event_id="e1", chat_id="oc_elsewhere"))
        bench.run(plugin(on_card=counted))
        assert bench.seen() == {"e1": 1}


def test_without_on_card_its_type_may_be_listed_and_there_is_nothing_to_answer(bench: Bench, heard: Heard) -> None:
    refused: list[str] = []

    async def on_event(event: Event, ctx: Context[Any]) -> None:
        assert isinstance(event, CardAction)
        try:
            ctx.answer("好")
        except RuntimeError as error:
            refused.append(str(error))

    bench.arrive(card_action())
    bench.run(plugin(on_event=on_event, events=("card.action.trigger",)), on_answered=heard)
    assert refused == ["tester: ctx.answer is for on_card, while it runs; use ctx.send elsewhere"]
    assert heard.brought == []


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({}, {}),
        ({"toast": "好"}, {"toast": {"type": "info", "content": "好"}}),
        ({"card": {"schema": "2.0"}}, {"card": {"type": "raw", "data": {"schema": "2.0"}}}),
        ({"card": {"type": "template", "data": {"template_id": "t"}}},
         {"card": {"type": "template", "data": {"template_id": "t"}}}),
        ({"toast": "坏", "kind": "error", "card": {}},
         {"toast": {"type": "error", "content": "坏"}, "card": {"type": "raw", "data": {}}}),
    ],
)  # fmt: skip
def test_an_answer_has_the_form_the_platform_takes(
    bench: Bench, heard: Heard, given: dict[str, Any], shown: dict[str, Any]
) -> None:
    async def on_card(action: CardAction, ctx: Context[Any]) -> None:
        ctx.answer(**given)

    bench.arrive(card_action())
    bench.run(plugin(on_card=on_card), on_answered=heard)
    assert heard.spoken == [("tester", shown)]


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"card": {"a": object()}}, TypeError, "object"),
        ({"card": {"a": "\ud800"}}, TypeError, "surrogates"),
        ({"card": "{}"}, TypeError, "an object for the card"),
        ({"toast": 7}, TypeError, "a text for the toast"),
        ({"toast": "好", "kind": "loud"}, ValueError, "info, success, warning, error"),
    ],
)
def test_what_cannot_be_shown_is_refused_at_the_call(
    bench: Bench, heard: Heard, given: dict[str, Any], error: type[Exception], words: str
) -> None:
    async def on_card(action: CardAction, ctx: Context[Any]) -> None:
        with pytest.raises(error, match=words):
            ctx.answer(**given)
        ctx.answer("好")
        with pytest.raises(RuntimeError, match="answered already"):
            ctx.answer("又")

    bench.arrive(card_action())
    bench.run(plugin(on_card=on_card), on_answered=heard)
    assert [body for _, body in heard.spoken] == [{"toast": {"type": "info", "content": "好"}}]
