"""A plugin whose events all fail is suspended before its events become dead letters, and goes on when told to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from consumer_bench import SEEN, Bench, counting, until
from feishu_events import message
from hypothesis import given
from hypothesis import strategies as st
from log_lines import logged

from core import Malformed, Message
from core.cli import main
from core.running.attempts import MOST_ATTEMPTS
from core.running.bus import PluginConsumer
from core.running.suspension import Streak
from core.status import ApiStatus, AttachmentStatus, ConnectionStatus, JournalStatus, OutboxStatus
from core.verdict import verdict


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Bench(tmp_path / "data") as bench:
        yield bench


class Database:
    """What the plugin of these tests needs, and what it was asked."""

    def __init__(self, *, away: bool = True) -> None:
        self.away = away
        self.poison: set[str] = set()
        self.asked = 0

    def __call__(self, message: Message) -> None:
        self.asked += 1
        if self.away or message.id in self.poison:
            raise OSError("the database is away")


def texts(count: int, start: int = 0) -> list[bytes]:
    return [message(f"om_{number}") for number in range(start, start + count)]


def suspended(consumer: PluginConsumer) -> Callable[[], bool]:
    return lambda: consumer.status(None, 0).phase == "suspended"


def running(consumer: PluginConsumer) -> Callable[[], bool]:
    return lambda: consumer.status(None, 0).phase == "running"


def test_a_plugin_whose_events_all_fail_is_suspended_and_nothing_of_it_is_parked(bench: Bench) -> None:
    database = Database()
    bench.arrive(*texts(50))
    consumer = bench.start(counting(before=database), suspend_after=20)
    until(suspended(consumer), "the suspension")
    bench.advance(3600)
    assert database.asked == 20
    status = bench.status(consumer)
    assert (status.cursor, status.retrying, status.dead, status.handled) == (20, 20, 0, 0)
    assert bench.seen() == {}


def test_it_is_told_once_in_the_log_and_stands_in_the_status(bench: Bench) -> None:
    with logged() as lines:
        bench.arrive(*texts(5))
        consumer = bench.start(counting(before=Database()), suspend_after=3)
        until(suspended(consumer), "the suspension")
        bench.arrive(*texts(5, start=5))
        bench.advance(3600)
    assert len([line for line in lines if "is suspended" in line]) == 1
    plugins = [bench.status(consumer)]
    parts = (ConnectionStatus("connected"), JournalStatus(), plugins, [], ApiStatus(), OutboxStatus())
    state, reasons = verdict(*parts, AttachmentStatus())
    assert state == "degraded"
    (reason,) = reasons
    assert "3 events in a row failed" in reason
    assert "python -m core plugins resume tester" in reason


def test_the_command_lets_it_go_on_and_everything_is_handled_once(bench: Bench) -> None:
    database = Database()
    bench.arrive(*texts(50))
    consumer = bench.start(counting(before=database), suspend_after=20)
    until(suspended(consumer), "the suspension")
    database.away = False
    result = CliRunner().invoke(main, ["plugins", "resume", "tester"], env={"DATA_DIR": str(bench.directory)})
    assert (result.exit_code, result.output) == (0, "tester goes on: what waits is tried again.\n")
    until(running(consumer), "the plugin to go on")
    bench.finish()
    until(lambda: bench.store.next_due("tester") is None, "the retries")
    assert bench.seen() == {f"om_{number}": 1 for number in range(50)}
    assert bench.status(consumer).dead == 0
    again = CliRunner().invoke(main, ["plugins", "resume", "tester"], env={"DATA_DIR": str(bench.directory)})
    assert again.output == "tester is not suspended.\n"


def test_it_is_suspended_again_as_long_as_the_cause_lasts(bench: Bench) -> None:
    database = Database()
    bench.arrive(*texts(10))
    consumer = bench.start(counting(before=database), suspend_after=4)
    for times in (4, 8, 12):
        until(lambda asked=times: suspended(consumer)() and database.asked == asked, "the suspension")
        assert bench.store.resume("tester")
    until(lambda: database.asked == 16, "the last attempts")
    assert bench.store.dead() == []


def test_a_restart_lets_it_go_on(bench: Bench) -> None:
    database = Database()
    bench.arrive(*texts(5))
    first = bench.start(counting(before=database), suspend_after=5)
    until(suspended(first), "the suspension")
    assert first.stop(5)
    database.away = False
    bench.run(counting(before=database), suspend_after=5)
    until(lambda: bench.store.next_due("tester") is None, "the retries")
    assert bench.seen() == {f"om_{number}": 1 for number in range(5)}
    standing = bench.store.standing("tester")
    assert standing is not None
    assert standing.suspended is None


def test_what_was_parked_one_by_one_waits_again_once_the_plugin_is_suspended(bench: Bench) -> None:
    """In a quiet group an outage reaches one event after the other; each uses up its attempts."""
    database = Database()
    consumer = bench.start(counting(before=database), suspend_after=3)
    for number in range(2):
        bench.arrive(*texts(1, start=number))
        bench.pass_time(lambda dead=number + 1: len(bench.store.dead()) == dead, "the dead letter")
    assert database.asked == 2 * MOST_ATTEMPTS
    bench.arrive(*texts(1, start=2))
    until(suspended(consumer), "the suspension")
    assert bench.store.dead() == []
    database.away = False
    assert bench.store.resume("tester")
    until(lambda: len(bench.seen()) == 3, "all three")


def test_poison_among_good_events_suspends_nobody(bench: Bench) -> None:
    database = Database(away=False)
    database.poison = {f"om_{number}" for number in range(0, 60, 2)}
    bench.arrive(*texts(60))
    consumer = bench.run(counting(before=database), suspend_after=3)
    status = bench.status(consumer)
    assert (status.phase, status.handled, status.retrying) == ("running", 30, 30)


def test_events_that_are_malformed_say_nothing_about_the_plugin(bench: Bench) -> None:
    def refuse(message: Message) -> None:
        raise Malformed("not like this")

    bench.arrive(*texts(10))
    consumer = bench.run(counting(before=refuse), suspend_after=3)
    assert (bench.status(consumer).phase, len(bench.store.dead())) == ("running", 10)


def test_with_zero_nothing_is_ever_suspended(bench: Bench) -> None:
    bench.arrive(*texts(50))
    consumer = bench.run(counting(before=Database()), suspend_after=0)
    assert (bench.status(consumer).phase, bench.status(consumer).retrying) == ("running", 50)


def test_the_other_plugins_go_on(bench: Bench) -> None:
    bench.arrive(*texts(30))
    failing = bench.start(counting("failing", before=Database()), suspend_after=20)
    bench.run(counting("fine"))
    until(suspended(failing), "the suspension")
    assert {row["message"]: row["times"] for row in bench.store.scan("fine", SEEN)} == {
        f"om_{number}": 1 for number in range(30)
    }


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans())), st.integers(1, 6))
def test_only_different_events_in_a_row_count(outcomes: list[tuple[int, bool]], most: int) -> None:
    streak = Streak(most)
    row: set[int] = set()
    for seq, succeeds in outcomes:
        if succeeds:
            streak.forget()
            row.clear()
        else:
            streak.failed(seq, f"error {seq}")
            row.add(seq)
        assert streak.over == (len(row) >= most)
        assert {failure.seq for failure in streak.waiting(row, 5)} == row
