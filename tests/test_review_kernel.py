"""What a review found in the kernel, each named after what went wrong."""

from __future__ import annotations

import asyncio
import contextvars
import io
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TextIO, cast

import orjson
import pytest
from changing import counter
from log_lines import logged
from storage_contract import record

from core.disk.backup import back_up, restore
from core.disk.upkeep import DAY, Upkeep
from core.errors import Undeclared
from core.feishu import messages
from core.feishu.transport import Api, Operation
from core.history.gaps import HEARD, NOTED_EVERY
from core.loading.plugins import Loaded, Unfit
from core.loading.prints import Overheard, Stdout, overheard, speak_as
from core.reads import ReadOnly
from core.replaying.anonymize import Anonymizer
from core.running.roster import Roster
from core.storage import open_engine
from core.storage.protocol import Engine
from core.storage.values import Commit, Outgoing, Record, checksum
from core.table import Table, Text

NOW = 1_800_000_000_000


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    with open_engine(tmp_path) as engine:
        yield engine


def test_a_message_written_while_the_clock_was_ahead_held_back_its_chat_until_then(engine: Engine) -> None:
    store = engine.store()
    store.cursor("pin", 0)
    for key, now in (("ahead", NOW + 400 * DAY), ("after", NOW)):
        message = Outgoing(key, "oc_a", "", "text", b"{}")
        store.commit(Commit("pin", 0, 0, now=now, outgoing=(message,)))
    assert [one.message.key for one in store.unsent(NOW, 10)] == ["ahead"]
    store.close()


def test_many_events_that_arrived_while_the_clock_was_ahead_stopped_the_trimming(
    tmp_path: Path, engine: Engine
) -> None:
    journal, store = engine.journal(), engine.store()
    for name, at in (("ahead", NOW + 400 * DAY), ("old", NOW - 40 * DAY)):
        journal.append([arrived(f"{name} {number}", at) for number in range(250)])
    journal.append([arrived("now", NOW)])
    store.commit(Commit("reader", store.cursor("reader", 0), journal.head(), now=NOW))
    upkeep = Upkeep(engine, tmp_path, lambda: ["reader"], keep_days=30, clock=lambda: NOW, look_every=0.005, breath=0)
    upkeep.start(store)
    deadline = time.monotonic() + 20
    while upkeep.status().checked is None and time.monotonic() < deadline:
        time.sleep(0.005)
    upkeep.stop(store)
    assert upkeep.status().trimmed == 250
    journal.close()
    store.close()


def arrived(name: str, at: int) -> Record:
    lane, key, kind, *_ = record(name)
    return Record(lane, key, kind, at, checksum(lane, key, kind, at, None, b"{}"), None, b"{}")


def test_a_plugin_that_was_mended_held_its_events_not_at_one_moment() -> None:
    class Watched(Roster):
        seen: list[tuple[str, ...]]

        def __setattr__(self, name: str, value: Any) -> None:
            super().__setattr__(name, value)
            if name in ("plugins", "unfit") and hasattr(self, "seen"):
                self.seen.append(self.readers())

    async def mend() -> list[tuple[str, ...]]:
        nothing = cast("Any", None)
        roster = Watched(nothing, nothing, nothing, consumer=nothing, mirrored=None, tick=1.0)
        roster.unfit = (Unfit("one", "here", nothing),)
        roster.seen = []
        roster.want(Loaded((counter("one"),), ()))
        return roster.seen

    assert all("one" in readers for readers in asyncio.run(mend()))


def test_a_column_that_another_plugin_does_not_have_was_a_fault_of_the_database(engine: Engine) -> None:
    store = engine.store()
    table = Table("points", (Text("person"), Text("why")), key=("person",), search=("why",))
    store.prepare("bank", (table,))
    points = ReadOnly("bank", table, store)
    for question in (
        lambda: list(points.select(equals={"persn": "a"})),
        lambda: list(points.select(between=("sent", 0, None))),
        lambda: points.search("a", equals={"persn": "a"}),
    ):
        with pytest.raises(Undeclared, match=r"bank.points has no column (persn|sent); it has: person, why"):
            question()
    store.close()


async def test_a_reply_to_no_message_was_a_call_of_another_api() -> None:
    addresses: list[str] = []

    class Heard(Api):
        def __init__(self) -> None:
            pass

        async def call(self, operation: Operation, **given: Any) -> dict[str, Any]:
            addresses.append(operation.path.format_map(given["path"]))
            return {}

    await messages.send(Heard(), "oc_a", "om_1/../../chats/oc_a?", "text", "{}", "uuid")
    (address,) = addresses
    assert address.count("/") == messages.REPLY.path.count("/")
    assert "?" not in address


def test_what_was_typed_into_a_form_stayed_in_an_anonymous_recording() -> None:
    event = {
        "event": {
            "action": {
                "tag": "button",
                "value": {"kind": "Bob Miller", "more": {"type": "Bob Miller"}},
                "form_value": {"style": "Bob Miller", "kind": ["Bob Miller"]},
            }
        }
    }
    told = orjson.dumps(Anonymizer(b"a key")(event)).decode()
    assert "Bob" not in told
    assert "button" in told


def in_a_thread(name: str, work: Callable[[], object]) -> None:
    thread = threading.Thread(target=work, name=name)
    thread.start()
    thread.join()


def test_an_import_failed_because_another_plugin_printed_at_that_moment() -> None:
    class Busy(Overheard):
        def take(self, plugin: str, line: str) -> None:
            in_a_thread("another", lambda: self.write("begun"))

    stdout = Busy(io.StringIO(), "one")
    in_a_thread("first", lambda: stdout.write("begun"))
    stdout.finish()


def test_every_thread_that_ever_printed_was_remembered_and_warned_about() -> None:
    stdout = Stdout(io.StringIO())
    with logged() as lines:
        for number in range(50):
            in_a_thread(f"Thread-{number} (work)", lambda: print("hello", file=cast("TextIO", stdout)))
    assert stdout._begun == {}
    assert len([line for line in lines if "prints to standard output" in line]) <= 1


def test_what_a_journal_that_was_lost_had_brought_was_read_again_and_counted_twice(tmp_path: Path) -> None:
    data, backup = tmp_path / "data", tmp_path / "backup"
    with open_engine(data) as engine, closing(engine.journal()) as journal, closing(engine.store()) as store:
        journal.append([arrived("before", NOW)])
        back_up(data, backup, now=NOW)
        journal.append([arrived("after", NOW + DAY)])
        store.commit(Commit("reader", store.cursor("reader", 0), journal.head(), now=NOW))
        store.set_note(HEARD, str(NOW + DAY))
    for path in data.glob("journal.db*"):
        path.unlink()
    restore(data, backup, now=NOW + 2 * DAY)
    with open_engine(data) as engine, closing(engine.journal()) as journal:
        assert journal.forgot_until() == NOW + DAY + NOTED_EVERY


def test_a_backup_deleted_a_directory_that_somebody_else_had_made(tmp_path: Path) -> None:
    theirs = tmp_path / "backup.part" / "theirs"
    theirs.parent.mkdir()
    theirs.write_text("theirs")
    with open_engine(tmp_path / "data"):
        back_up(tmp_path / "data", tmp_path / "backup", now=NOW)
    assert theirs.read_text() == "theirs"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup", "backup.part", "data"]


def test_what_a_plugin_printed_was_swallowed_for_ever_after_two_imports_at_once() -> None:
    before = sys.stdout
    first, second = overheard("one"), overheard("two")
    here, there, speak = (contextvars.copy_context() for _ in range(3))  # As in threads of their own.
    try:
        lines = here.run(first.__enter__)
        there.run(second.__enter__)
        here.run(first.__exit__, None, None, None)
        there.run(second.__exit__, None, None, None)
        speak.run(speak_as, "one")
        with logged() as told:
            speak.run(print, "hello")
        assert lines == []
        assert any("hello" in line for line in told)
    finally:
        sys.stdout = before
