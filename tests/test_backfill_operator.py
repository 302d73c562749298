"""What an operator sees of gaps: the state and its reasons, ``run --since``; and what the storage answers for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import storage_contract as contract
from click.testing import CliRunner
from storage_contract import record

from core.cli import main
from core.settings import Settings
from core.status import (
    ApiStatus,
    AttachmentStatus,
    ConnectionStatus,
    GroupHistory,
    HistoryStatus,
    JournalStatus,
    OutboxStatus,
)
from core.storage.protocol import Engine
from core.verdict import verdict

reopen, engine = contract.reopen, contract.engine

CONNECTED = ConnectionStatus(phase="connected", connected_since=1, last_frame=1)


def told(*groups: GroupHistory, **history: Any) -> tuple[str, tuple[str, ...]]:
    status = HistoryStatus(groups, **history)
    return verdict(CONNECTED, JournalStatus(), (), (), ApiStatus(), OutboxStatus(), AttachmentStatus(), history=status)


def test_reading_what_was_missed_is_healthy() -> None:
    assert told(GroupHistory("oc_1", reading=True, found=5)) == ("healthy", ())


def test_pushes_that_do_not_arrive_are_unhealthy() -> None:
    state, reasons = told(deaf="messages are written but not pushed")
    assert state == "unhealthy"
    assert reasons == ("events are not being received: messages are written but not pushed",)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (((GroupHistory("oc_1", problem="no scope"),), {}), "missed messages of oc_1: no scope"),
        (((), {"problem": "no scope for reactions"}), "missed messages: no scope for reactions"),
        (
            ((GroupHistory("oc_1", reading=True), GroupHistory("oc_2")), {"for_budget": True}),
            "missed messages of 1 groups wait until the month's API calls can bear it",
        ),
    ],
)
def test_what_cannot_be_read_is_degraded(given: Any, reason: str) -> None:
    groups, history = given
    assert told(*groups, **history) == ("degraded", (reason,))


@pytest.fixture
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    Path("plugins.toml").write_text("[plugins.activity]\nenabled = true\n")
    Path(".env").write_text("APP_ID=cli_1\nAPP_SECRET=s3cret\n")


@pytest.mark.usefixtures("_elsewhere")
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--since", "soon"], "neither a date such as 2026-11-01 nor a duration such as 7d"),
        (["--since", "2999-01-01"], "is in the future"),
        (["--since", "7d", "--sandbox"], "--since is for the real platform"),
    ],
)
def test_a_since_that_means_nothing_is_refused_before_anything_starts(options: list[str], said: str) -> None:
    result = CliRunner().invoke(main, ["run", *options], prog_name="core")
    assert result.exit_code == 2
    assert said in result.output
    assert not Path("data").exists()


def test_since_is_explained() -> None:
    assert "--since" in CliRunner().invoke(main, ["run", "--help"]).output


def test_which_events_are_in_the_journal_can_be_asked(reopen: Callable[[], Engine]) -> None:
    with reopen() as engine:
        journal = engine.journal()
        try:
            assert journal.known([]) == set()
            journal.append([record(str(n)) for n in range(1200)])
            keys = [record(str(n)).key for n in range(700, 2000)]
            assert journal.known(keys) == set(keys[:500])
        finally:
            journal.close()
