"""``core replay`` as an operator meets it, with the bundled plugins."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from consumer_bench import Bench, until
from feishu_events import GROUP, SENT, message, pushed

import core
from core.cli import main
from core.loading.plugins import Plugin, load
from core.settings import PluginSettings
from core.storage.values import Commit
from plugins.activity.tables import ACTIVITY
from plugins.archive.tables import TOPICS

ROOT = Path(core.__file__).parent.parent
PLUGINS = "[plugins.activity]\nenabled = true\n[plugins.pin]\nenabled = true\n[plugins.health]\nenabled = true\n"


def bundled(name: str) -> Plugin:
    (one,) = load({name: PluginSettings(enabled=True)}, {}, Path("plugins.toml"))
    return one


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.chdir(tmp_path)
    Path("plugins.toml").write_text(PLUGINS)
    with Bench(tmp_path / "data") as bench:
        for number in range(30):
            bench.arrive(message(f"om_{number}", sender=f"ou_{number % 3}"))
        bench.run(bundled("activity"))
        yield bench


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["replay", *arguments])


def damage(bench: Bench) -> None:
    """What a wrong rule may have left."""
    cursor = bench.store.cursor("activity", 0)
    rows = {(row["user_id"], row["period"]): row | {"score": 0.0} for row in bench.store.scan("activity", ACTIVITY)}
    bench.store.commit(Commit("activity", cursor, cursor, now=1, rows={ACTIVITY: rows}))
    bench.consumers.pop().stop(5)


def scores(bench: Bench) -> list[float]:
    return [row["score"] for row in bench.store.scan("activity", ACTIVITY)]


def test_without_differences_it_says_so(bench: Bench) -> None:
    result = call("activity", "--dry-run")
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[0] == "30 events handled again."
    assert "activity.activity: no difference" in result.output


def test_a_dry_run_shows_the_first_rows_and_changes_nothing(bench: Bench) -> None:
    right = scores(bench)
    damage(bench)
    result = call("activity", "--dry-run")
    assert "activity.activity: 0 rows would be added, 3 changed, 0 removed" in result.output
    assert f"~ ou_0 2026-11: score 0.0 → {right[0]}" in result.output
    assert set(scores(bench)) == {0.0}


def test_it_puts_the_tables_right(bench: Bench) -> None:
    right = scores(bench)
    damage(bench)
    result = call("activity")
    assert "activity.activity: 0 rows were added, 3 changed, 0 removed" in result.output
    assert result.output.endswith("The new tables are in use.\n")
    assert scores(bench) == right
    assert not Path("data/replay/activity/shadow").exists()


def test_a_part_takes_a_flag_to_replace_the_whole(bench: Bench) -> None:
    right = scores(bench)
    result = call("activity", "--from", "16")
    assert result.exit_code == 1
    assert "what activity made of the events up to 15 is left out" in result.output
    assert "--accept-losses" in result.output
    assert scores(bench) == right
    assert call("activity", "--from", "16", "--accept-losses").exit_code == 0
    assert [score < before for score, before in zip(scores(bench), right, strict=True)] == [True, True, True]


def test_a_replay_may_end_early_only_to_look(bench: Bench) -> None:
    result = call("activity", "--to", "16")
    assert result.exit_code == 2
    assert "--to is for --dry-run" in result.output
    assert call("activity", "--to", "16", "--dry-run").output.startswith("15 events handled again.")
    before_all = call("activity", "--to", "2020-01-01", "--dry-run").output
    assert before_all.startswith("0 events handled again.")


def test_the_archive_is_rebuilt_with_the_statuses_that_time_brought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("plugins.toml").write_text("[plugins.archive]\nenabled = true\n")
    with Bench(tmp_path / "data") as bench:
        bench.now = time.time_ns() // 1_000_000 - 60 * 86_400_000
        sent = str(bench.now)
        bench.arrive(
            message("om_root", sender="ou_1", text="谁有空看一下这个问题？", create_time=sent),
            *(reply(f"om_reply_{number}", sent) for number in range(5)),
        )
        bench.run(bundled("archive"))
        bench.arrive(pushed("im.message.recalled_v1", {"message_id": "om_reply_4", "chat_id": GROUP}))
        bench.finish()
        for days, status in ((8, "沉默"), (30, "冷却")):
            bench.advance(days * 86_400)
            until(lambda expected=status: statuses(bench) == [expected], status)
        bench.finish()
        bench.consumers.pop().stop(5)
        (before,) = bench.store.scan("archive", TOPICS)
        assert before["summary"]
        looked = call("archive", "--dry-run")
        assert looked.exit_code == 0, looked.output
        assert "archive.archive: no difference\narchive.topics: no difference\n" in looked.output
        assert call("archive").exit_code == 0
        assert list(bench.store.scan("archive", TOPICS)) == [before]


def statuses(bench: Bench) -> list[str]:
    return [row["status"] for row in bench.store.scan("archive", TOPICS)]


def reply(message_id: str, sent: str) -> bytes:
    return message(message_id, sender="ou_2", parent_id="om_root", root_id="om_root", create_time=sent)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("pin", "there is nothing to rebuild for pin: what it keeps does not come from events"),
        ("health", "there is nothing to rebuild for health: it keeps no tables"),
    ],
)
def test_plugins_without_tables_made_of_events_are_refused(bench: Bench, name: str, told: str) -> None:
    result = call(name)
    assert (result.exit_code, result.output.strip()) == (1, told)


def test_a_plugin_that_is_not_enabled_is_a_usage_error(bench: Bench) -> None:
    result = call("archive")
    assert result.exit_code == 2
    assert "enabled are: activity, pin, health" in result.output


def test_ctrl_c_leaves_the_old_tables(bench: Bench, tmp_path: Path) -> None:
    bench.arrive(*(message(f"om_more_{number}", sender="ou_5") for number in range(20_000)))
    cursor = bench.store.cursor("activity", 0)
    bench.consumers.pop().stop(5)
    reached = bench.store.cursor("activity", cursor)
    bench.store.commit(Commit("activity", reached, 20_030, now=SENT))
    right = scores(bench)
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "core", "replay", "activity"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    shadow = tmp_path / "data" / "replay" / "activity" / "shadow"
    deadline = time.monotonic() + 30
    while not (shadow / "store.db-wal").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert (process.returncode, errors.strip()) == (1, "Aborted!")
    assert scores(bench) == right
    assert not shadow.exists()
