"""What a review found: pauses that outlast a clock put back, and what only ever grew; named after what went wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from api_client import DAY, NOVEMBER, Clock
from archive_driver import Driver as ArchiveDriver
from pin_driver import Driver as PinDriver
from pin_platform import PinPlatform, refusal
from sandbox_client import until

import core.outbox
from core.disk.upkeep import Upkeep
from core.errors import Unreachable
from core.feishu.transport import Api
from core.outbox import KEPT, Outbox
from core.people import People
from core.storage import open_engine
from core.storage.values import Commit, Dead, Failure, Outgoing, Record, checksum
from plugins.archive.llm.breaker import FAILURES, Breaker

YEAR = 365 * DAY


class Contacts(Api):
    """Fails first, then knows everybody."""

    def __init__(self) -> None:
        self.calls = 0

    async def call(self, operation: Any, **request: Any) -> dict[str, Any]:
        self.calls += 1
        if self.calls == 1:
            raise Unreachable("no answer")
        return {"items": [{"open_id": "ou_li", "name": "李雷"}]}


async def test_after_the_clock_was_put_back_names_were_not_looked_up_for_as_long(tmp_path: Path) -> None:
    clock = Clock(NOVEMBER + YEAR)
    with closing(open_engine(tmp_path).store()) as store:
        people = People(Contacts(), store, lambda: (), clock=clock)
        await people.learn(["ou_li"])
        clock.now = NOVEMBER
        await people.learn(["ou_li"])
        assert people.names(["ou_li"]) == {"ou_li": "李雷"}


async def test_names_looked_up_while_the_clock_was_ahead_were_believed_for_as_long(tmp_path: Path) -> None:
    clock, contacts = Clock(NOVEMBER + YEAR), Contacts()
    contacts.calls = 1
    with closing(open_engine(tmp_path).store()) as store:
        people = People(contacts, store, lambda: (), clock=clock)
        for now, calls in (
            (clock.now, 2),
            (NOVEMBER, 3),
            (NOVEMBER - 1, 3),
            (NOVEMBER + DAY - 1, 3),
            (NOVEMBER + DAY, 4),
        ):
            clock.now = now
            await people.learn(["ou_li"])
            assert contacts.calls == calls


def test_after_the_clock_was_put_back_pins_were_not_looked_for_for_as_long(tmp_path: Path) -> None:
    platform = PinPlatform()
    platform.pins = {"oc_1": {}, "oc_2": {}}
    with PinDriver(tmp_path, platform) as driver:
        driver.finish()
        driver.advance(YEAR / 1000)
        platform.pin("oc_2", "om_2")
        platform.failing = {"pins oc_1": refusal(230002), "message om_2": Unreachable("no answer")}
        driver.round()
        driver.advance(-YEAR / 1000)
        driver.context.schedule("poll", at=driver.now)
        platform.failing.clear()
        platform.pin("oc_1", "om_1")
        driver.slice()
        assert sorted(row["content"] for row in driver.rows()) == ["说 om_1", "说 om_2"]


def test_after_the_clock_was_put_back_an_endpoint_was_left_alone_for_as_long() -> None:
    clock = Clock(NOVEMBER + YEAR)
    breaker = Breaker(clock)
    for _ in range(FAILURES):
        breaker.fail()
    assert breaker.open
    clock.now = NOVEMBER
    assert not breaker.open


class Sending(Api):
    """Takes every message."""

    def __init__(self) -> None:
        self.sent = 0

    async def call(self, operation: Any, **request: Any) -> dict[str, Any]:
        self.sent += 1
        return {"message_id": f"om_{self.sent}"}


async def turns(outbox: Outbox, done: Callable[[], bool]) -> None:
    """The outbox at work until something holds."""
    running = asyncio.create_task(outbox.run())
    try:
        await until(done)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_after_the_clock_was_put_back_sent_messages_were_kept_for_as_long(tmp_path: Path) -> None:
    clock = Clock(NOVEMBER + YEAR)
    with closing(open_engine(tmp_path).store()) as store:
        store.cursor("pin", 0)
        outbox = Outbox(Sending(), store, clock=clock, backoff=float, tick=0.005)
        await turns(outbox, lambda: outbox._forgot > 0)
        store.commit(Commit("pin", 0, 0, now=NOVEMBER - 2 * KEPT, outgoing=[Outgoing("k", "oc_1", "", "text", b"{}")]))
        (unsent,) = store.unsent(NOVEMBER, 1)
        store.sent(unsent.id, "om_1", NOVEMBER - 2 * KEPT)
        clock.now = NOVEMBER
        await turns(outbox, lambda: not store.outbox())


async def test_the_pace_of_every_chat_was_remembered_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core.outbox, "MOST_LIMITERS", 10)
    api = Sending()
    with closing(open_engine(tmp_path).store()) as store:
        store.cursor("pin", 0)
        outbox = Outbox(api, store, clock=Clock(), backoff=float, tick=0.005)
        outbox._limiter("oc_idle")
        busy = outbox._limiter("oc_busy")
        await busy.acquire()
        for number in range(8):
            outbox._limiter(f"oc_{number}")
        messages = [Outgoing(f"k{number}", f"oc_new_{number}", "", "text", b"{}") for number in range(5)]
        store.commit(Commit("pin", 0, 0, now=NOVEMBER, outgoing=messages))
        await turns(outbox, lambda: api.sent == 5)
        assert len(outbox._limiters) < 10
        assert "oc_idle" not in outbox._limiters
        assert outbox._limiter("oc_busy") is busy


def test_a_digest_armed_while_the_clock_was_ahead_was_put_off_for_as_long(tmp_path: Path) -> None:
    with ArchiveDriver(tmp_path, digest="daily") as group:
        right = group.context.armed("digest")
        group.commit()
        group.now += YEAR
        group.restart(digest="daily", digest_time="20:00")
        group.now -= YEAR
        group.restart(digest="daily", digest_time="20:00")
        armed = group.context.armed("digest")
        assert right is not None
        assert armed is not None
        assert abs(armed - right) < DAY


def test_an_audit_armed_while_the_clock_was_ahead_was_put_off_for_as_long(tmp_path: Path) -> None:
    chosen: dict[str, Any] = {"announce": False, "audit": True, "audit_day": "mon"}
    with PinDriver(tmp_path, PinPlatform(), **chosen, audit_time="09:00") as driver:
        driver.now += YEAR
        driver.restart(**chosen, audit_time="10:00")
        driver.now -= YEAR
        driver.restart(**chosen, audit_time="10:00")
        due = driver.due("audit")
        assert due is not None
        assert driver.now < due <= driver.now + 7 * DAY
        assert driver.context.state.get("audit")["due"] == due


def arrived(at: int) -> Record:
    key = str(at).encode().ljust(16, b".")
    return Record(0, key, "a", at, checksum(0, key, "a", at, None, b"{}"), None, b"{}")


def test_that_a_dead_letter_was_discarded_was_remembered_for_ever(tmp_path: Path) -> None:
    engine = open_engine(tmp_path)
    with closing(engine.journal()) as journal, closing(engine.store()) as store:
        journal.append([arrived(0), arrived(1), arrived(NOVEMBER)])
        store.cursor("reader", 0)
        failures = [Failure(seq, 1, "no", None) for seq in (1, 2, 3)]
        store.commit(Commit("reader", 0, 3, now=NOVEMBER, failures=failures))
        one, two, three = store.dead("reader")
        assert store.discard([one, three, Dead("reader", 9, 1, 0, "never there")], NOVEMBER) == 2
        upkeep = Upkeep(engine, tmp_path, lambda: ["reader"], keep_days=1, clock=Clock(), look_every=0.005, breath=0.0)
        upkeep._look()
        assert [event.seq for event in journal.stretch(0, 9, 9)] == [two.seq, three.seq]
        assert store.discarded("reader") == {three.seq}
