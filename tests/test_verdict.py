"""What the state of the program means: each word, and each reason for it."""

from __future__ import annotations

from typing import Any

import pytest

from core.status import (
    ApiStatus,
    AttachmentStatus,
    ConnectionStatus,
    JournalStatus,
    OutboxStatus,
    PluginStatus,
    TableStatus,
)
from core.verdict import LONG_CALL, verdict

CONNECTED = ConnectionStatus(phase="connected", connected_since=1, last_frame=1)


def plugin(**parts: Any) -> PluginStatus:
    return PluginStatus(**{"name": "pin", "summary": "", "phase": "running"} | parts)


def table(problem: str = "") -> TableStatus:
    return TableStatus("pin", "pins", "tblX", rows=3, waiting=2, problem=problem)


def told(
    connection: ConnectionStatus = CONNECTED,
    journal: JournalStatus | None = None,
    plugins: tuple[PluginStatus, ...] = (),
    tables: tuple[TableStatus, ...] = (),
    api: ApiStatus | None = None,
    outbox: OutboxStatus | None = None,
    attachments: AttachmentStatus | None = None,
    nameless: str = "",
) -> tuple[str, tuple[str, ...]]:
    return verdict(
        connection,
        journal or JournalStatus(),
        plugins,
        tables,
        api or ApiStatus(),
        outbox or OutboxStatus(),
        attachments or AttachmentStatus(),
        nameless=nameless,
    )


def test_healthy_is_when_everything_works() -> None:
    quiet = (plugin(handled=5, attempts=3, skipped={"group not in CHAT_ID": 4}, lag=100, busy_for=LONG_CALL),)
    rejected = JournalStatus(head=9, rejected={"not JSON": 2}, duplicates=3)
    assert told(plugins=quiet, tables=(table(),), journal=rejected, api=ApiStatus("2026-11", 10, 9)) == ("healthy", ())


@pytest.mark.parametrize("phase", ["starting", "connecting", "waiting"])
def test_unknown_is_before_the_first_frame(phase: Any) -> None:
    assert told(ConnectionStatus(phase=phase)) == ("unknown", ("no frame was received yet",))


def test_unknown_tells_the_other_reasons_too() -> None:
    state, reasons = told(ConnectionStatus(), plugins=(plugin(dead=1),))
    assert (state, reasons) == ("unknown", ("no frame was received yet", "plugin pin has 1 dead letters"))


@pytest.mark.parametrize("phase", ["starting", "connecting", "waiting"])
def test_unhealthy_is_when_events_are_not_received(phase: Any) -> None:
    connection = ConnectionStatus(phase=phase, last_frame=1, problem="the secret is wrong; correct APP_SECRET")
    reason = "events are not being received: the secret is wrong; correct APP_SECRET"
    assert told(connection) == ("unhealthy", (reason,))


def test_unhealthy_is_when_the_connection_is_stopped() -> None:
    assert told(ConnectionStatus(phase="stopped")) == ("unhealthy", ("the connection is stopped",))
    given_up = ConnectionStatus(phase="stopped", problem="gave up after 10 attempts")
    assert told(given_up) == ("unhealthy", ("the connection is stopped: gave up after 10 attempts",))


def test_unhealthy_is_when_events_cannot_be_stored_also_while_connected() -> None:
    state, reasons = told(journal=JournalStatus(problem="disk full"), plugins=(plugin(retrying=2),))
    assert state == "unhealthy"
    assert reasons == ("events cannot be stored: disk full", "plugin pin retries 2 events")


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (plugin(phase="failed", problem="KeyError: 'x'"), "plugin pin is failed: KeyError: 'x'"),
        (plugin(phase="waiting", problem="port 8080 is in use"), "plugin pin is waiting: port 8080 is in use"),
        (plugin(problem="disk full"), "plugin pin is running: disk full"),
        (plugin(busy_for=LONG_CALL + 1), "plugin pin has been busy with one event for 31 s"),
        (plugin(retrying=2), "plugin pin retries 2 events"),
        (plugin(dead=3), "plugin pin has 3 dead letters"),
    ],
)
def test_degraded_is_when_a_plugin_has_trouble(status: PluginStatus, reason: str) -> None:
    assert told(plugins=(plugin(name="well"), status)) == ("degraded", (reason,))


def test_degraded_is_when_a_table_is_not_written() -> None:
    assert told(tables=(table(), table("column 姓名 is missing"))) == (
        "degraded",
        ("table pin.pins: column 姓名 is missing",),
    )


def test_degraded_is_when_the_months_calls_are_used_up() -> None:
    reason = "all 10 API calls of 2026-11 are used; tables are written again next month"
    assert told(api=ApiStatus("2026-11", 10, 10)) == ("degraded", (reason,))


def test_every_reason_is_told() -> None:
    state, reasons = told(
        ConnectionStatus(phase="waiting", problem="no network"),
        JournalStatus(problem="disk full"),
        (plugin(retrying=1, dead=1), plugin(name="other", phase="failed", problem="x")),
        (table("refused"),),
        ApiStatus("2026-11", 5, 6),
    )
    assert (state, len(reasons)) == ("unhealthy", 7)


def test_degraded_is_when_a_message_cannot_be_sent() -> None:
    assert told(outbox=OutboxStatus(waiting=3, failed=4)) == ("healthy", ())
    reason = "1 messages wait and 2 were given up; the last: pin: 230002 not in the group"
    assert told(outbox=OutboxStatus(1, 2, "pin: 230002 not in the group")) == ("degraded", (reason,))


def test_degraded_is_when_names_cannot_be_looked_up() -> None:
    reason = "names cannot be looked up: contact.v3.user.batch: 99991672 Access denied"
    assert told(nameless="contact.v3.user.batch: 99991672 Access denied") == ("degraded", (reason,))


def test_degraded_is_when_no_attachment_can_be_fetched() -> None:
    assert told(attachments=AttachmentStatus("upload", waiting=3, for_budget=True, failed=1)) == ("healthy", ())
    refused = AttachmentStatus("upload", waiting=3, problem="drive.v1.media.uploadAll: 1061004 forbidden.")
    reason = "3 attachments wait: drive.v1.media.uploadAll: 1061004 forbidden."
    assert told(attachments=refused) == ("degraded", (reason,))
