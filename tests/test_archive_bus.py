"""The archive plugin on the real bus: batches, a platform that is away, restarts, and rows as they were."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import orjson
from archive_account import archive, topics
from archive_driver import DAY, MINUTE, Platform
from archive_tables import archived, told
from consumer_bench import Bench
from group_events import NOVEMBER, message, recall

from core import Unreachable
from core.plugins import Plugin, load
from core.settings import PluginSettings
from plugins.archive.tables import ARCHIVE, FETCHES, TOPICS


def plugin(**config: Any) -> Plugin:
    (one,) = load({"archive": PluginSettings(enabled=True, config=config)}, {}, Path("plugins.toml"))
    return one


def rows(bench: Bench, table: Any) -> dict[str, Any]:
    return {row[table.key[0]]: row for row in bench.store.scan("archive", table)}


def talk(count: int) -> list[dict[str, Any]]:
    """Every third message opens a topic, the others answer in it."""
    said = []
    for number in range(count):
        root = f"m{number - number % 3}"
        parent = "" if number % 3 == 0 else root
        said.append(message(f"m{number}", f"u{number % 7}", f"第 {number} 条", at=NOVEMBER + number, parent=parent))
    return said


def test_a_thousand_messages_are_archived_in_batches_without_a_call(tmp_path: Path) -> None:
    events, platform = talk(1000), Platform()
    with Bench(tmp_path) as bench:
        bench.arrive(*map(orjson.dumps, events))
        consumer = bench.start(plugin(), platform=platform)
        began = time.perf_counter()
        bench.finish(consumer)
        took = time.perf_counter() - began
        assert archived(rows(bench, ARCHIVE)) == archive(events)
        assert told(rows(bench, TOPICS), rows(bench, ARCHIVE)) == topics(events, bench.now)
        assert set(platform.asked) <= {"oc_group"}
        assert took < 15


def test_events_after_a_restart_find_what_was_there(tmp_path: Path) -> None:
    events = talk(9)
    with Bench(tmp_path) as bench:
        bench.arrive(*map(orjson.dumps, events[:5]))
        first = bench.run(plugin(), platform=Platform())
        assert first.stop(5)
        bench.arrive(*map(orjson.dumps, [*events[5:], recall("m1")]))
        bench.run(plugin(), platform=Platform())
        seen = [*events, recall("m1")]
        assert archived(rows(bench, ARCHIVE)) == archive(seen)
        assert told(rows(bench, TOPICS), rows(bench, ARCHIVE)) == topics(seen, bench.now)


def test_a_platform_that_is_away_delays_no_message(tmp_path: Path) -> None:
    platform = Platform()
    platform.failure = Unreachable("no network")
    forward = message("om_f", "a", kind="merge_forward", content={"content": "Merged and Forwarded Message"})
    with Bench(tmp_path) as bench:
        bench.arrive(orjson.dumps(forward), *map(orjson.dumps, talk(6)))
        consumer = bench.run(plugin(), platform=platform)
        assert rows(bench, ARCHIVE).keys() == {"om_f", *(f"m{number}" for number in range(6))}
        assert bench.status(consumer).retrying == 0
        platform.failure = None
        platform.messages["om_f"] = [{"message_id": "om_f"}, {"message_id": "om_c", "body": {"content": "原话"}}]
        bench.pass_time(lambda: not rows(bench, FETCHES), "the forward to be read")
        assert "原话" in rows(bench, ARCHIVE)["om_f"]["content"]


def test_summaries_and_statuses_come_by_themselves(tmp_path: Path) -> None:
    with Bench(tmp_path) as bench:
        bench.arrive(*map(orjson.dumps, talk(3)))
        bench.run(plugin(), platform=Platform())
        bench.advance(10 * MINUTE / 1000)
        bench.pass_time(lambda: rows(bench, TOPICS)["m0"]["summary"], "the summary")
        bench.advance_to(NOVEMBER + 8 * DAY)
        bench.pass_time(lambda: rows(bench, TOPICS)["m0"]["status"] == "沉默", "the status")
