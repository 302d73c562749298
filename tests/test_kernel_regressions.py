"""What once went wrong in the kernel, each named after what it did."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from consumer_bench import SEEN, Bench, counting, plugin
from feishu_events import SENT, message
from filelock import Timeout
from sandbox_client import until

from core import Context, Message
from core.app import Application
from core.disk.instance import sole_instance
from core.errors import ConfigurationError, StorageError, Unreachable
from core.journal import Journal
from core.pace import Pace
from core.settings import load_settings
from core.storage import open_engine
from core.storage.sqlite.journal import SqliteJournal
from plugins import health
from sandbox.config import SandboxConfig
from sandbox.server import Sandbox

UNSTORABLE = [object(), "\ud800", 2**70]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Bench(tmp_path / "data") as bench:
        yield bench


def only_the_bad_one_fails(bench: Bench, misbehave: Callable[[Context[Any]], None]) -> None:
    """Of two events the one that misbehaves fails alone, and the consumer goes on."""

    async def on_message(message: Message, ctx: Context[Any]) -> None:
        ctx.table(SEEN).add(message.id, times=1)
        if message.id == "om_bad":
            misbehave(ctx)

    bench.arrive(message("om_bad"), message("om_good"))
    consumer = bench.run(plugin(on_message=on_message, publishes=("tester.said",)))
    assert bench.seen() == {"om_good": 1}
    bench.pass_time(lambda: bench.status(consumer).dead, "the bad event to be parked")
    status = bench.status(consumer)
    assert (status.phase, status.handled, status.dead, status.problem) == ("running", 1, 1, "")


def test_an_error_text_that_is_no_utf8_stopped_its_plugin(bench: Bench) -> None:
    def misbehave(_: Context[Any]) -> None:
        raise ValueError("cannot open caf\udce9.txt")

    only_the_bad_one_fails(bench, misbehave)


@pytest.mark.parametrize("key", UNSTORABLE)
def test_a_key_that_cannot_be_stored_stopped_the_plugin_that_deleted_it(bench: Bench, key: Any) -> None:
    only_the_bad_one_fails(bench, lambda ctx: ctx.table(SEEN).delete(key))


@pytest.mark.parametrize("event_id", UNSTORABLE)
def test_an_event_id_that_cannot_be_stored_stopped_its_publisher(bench: Bench, event_id: Any) -> None:
    only_the_bad_one_fails(bench, lambda ctx: ctx.publish("tester.said", event_id, {}))


def lose_the_journal(directory: Path) -> None:
    for file in directory.glob("journal.db*"):
        file.unlink()


async def test_events_were_passed_over_after_the_journal_was_lost(tmp_path: Path) -> None:
    with Bench(tmp_path) as bench:
        bench.arrive(message("om_1"), message("om_2"))
        bench.run(counting())
    lose_the_journal(tmp_path)
    nowhere = {"APP_ID": "cli_1", "APP_SECRET": "s3cret", "FEISHU_BASE_URL": "http://127.0.0.1:1"}
    settings = load_settings(nowhere | {"DATA_DIR": str(tmp_path)}, needs_credentials=True)
    application = Application(settings, [counting()])
    with pytest.raises(StorageError, match=r"tester has handled event 2 .* ends at 0: journal\.db was lost"):
        async with asyncio.timeout(20):
            await application.run()


def test_a_start_that_was_not_noted_made_health_listen_twice(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    hooks = {"startup": health.startup, "shutdown": health.shutdown}
    consumer = bench.consumer(plugin("health", health.Listening(port=port), tables=(), **hooks))
    failures = [StorageError("database or disk is full")]
    commit = consumer._commit

    def full_at_first(*given: Any) -> None:
        if failures:
            raise failures.pop()
        commit(*given)

    monkeypatch.setattr(consumer, "_commit", full_at_first)
    consumer.start()
    bench.pass_time(lambda: bench.status(consumer).phase == "running", "the second start-up")
    assert not failures
    socket.create_connection(("127.0.0.1", port), 5).close()
    assert consumer.stop(5)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 5)


def test_a_platform_out_of_reach_at_start_up_failed_the_plugin(bench: Bench) -> None:
    failures = [Unreachable("no network yet")]

    async def startup() -> None:
        if failures:
            raise failures.pop()

    bench.arrive(message("om_1"))
    consumer = bench.start(counting(startup=startup))
    bench.finish_in_time()
    assert bench.seen() == {"om_1": 1}
    assert bench.status(consumer).phase == "running"


def test_used_up_calls_made_the_first_flush_of_the_next_month_late() -> None:
    assert Pace(1_000).wait(0, 600.0) == 600.0


def test_an_unforeseen_error_ended_the_thread_that_stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = [MemoryError()]
    append = SqliteJournal.append

    def fails_once(handle: SqliteJournal, records: Sequence[Any]) -> Any:
        if failures:
            raise failures.pop()
        return append(handle, records)

    monkeypatch.setattr(SqliteJournal, "append", fails_once)
    told: Queue[tuple[list[Any], StorageError | None]] = Queue()
    with open_engine(tmp_path) as engine:
        journal = Journal(engine, clock=lambda: SENT, on_fresh=lambda: None)
        journal.start()
        try:
            journal.submit(message("om_1"), 1, lambda tickets, error: told.put((list(tickets), error)))
            tickets, error = told.get(timeout=20)
            assert (tickets, str(error)) == ([1], "MemoryError()")
            journal.submit(message("om_1"), 2, lambda tickets, error: told.put((list(tickets), error)))
            assert told.get(timeout=20) == ([2], None)
            assert journal.head == 1
        finally:
            journal.stop()


@pytest.mark.parametrize(
    "error", [BrokenPipeError(32, "Broken pipe"), PermissionError(13, "no"), Timeout("other.lock")]
)
def test_an_error_of_the_program_was_told_as_one_of_its_directory(tmp_path: Path, error: Exception) -> None:
    with pytest.raises(type(error)) as caught, sole_instance(tmp_path):
        raise error
    assert caught.value is error
    with sole_instance(tmp_path):  # It was let go.
        pass


@pytest.mark.parametrize("url", ["https://bot:hunter2@open.feishu.cn", "bot:hunter2@open.feishu.cn"])
def test_the_password_of_a_wrong_base_url_was_shown(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings({"FEISHU_BASE_URL": url}, needs_credentials=False)
    told = f"{caught.value} {caught.value.problems}"
    assert "is no https origin" in told
    assert "hunter2" not in told


async def test_a_plugin_that_hung_kept_the_next_from_being_told_to_stop(tmp_path: Path) -> None:
    hanging, begun, ended = threading.Event(), threading.Event(), threading.Event()
    ended_meanwhile: list[bool] = []

    async def hang() -> None:
        hanging.set()
        ended_meanwhile.append(ended.wait(5))

    async def begin() -> None:
        begun.set()

    async def end() -> None:
        ended.set()

    async with Sandbox(SandboxConfig(scenario="quiet", rate_limits=False)) as sandbox:
        settings = load_settings(sandbox.environment() | {"DATA_DIR": str(tmp_path)}, needs_credentials=True)
        plugins = [plugin("hanging", startup=hang), plugin("other", startup=begin, shutdown=end)]
        application = Application(settings, plugins)
        running = asyncio.create_task(application.run())
        await until(lambda: hanging.is_set() and begun.is_set())
        application.stop()
        await running
    assert ended_meanwhile == [True]
