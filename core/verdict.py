"""What the state of the program means to an operator: one word and its reasons, a pure rule over ``Status`` parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from .status import (
    ApiStatus,
    AttachmentStatus,
    ConnectionStatus,
    DiskStatus,
    HistoryStatus,
    JournalStatus,
    OutboxStatus,
    PluginStatus,
    State,
    TableStatus,
)

NO_HISTORY: Final = HistoryStatus()
NO_DISK: Final = DiskStatus()
TROUBLED: Final = ("failed", "waiting", "suspended", "unfit")
LONG_CALL: Final = 30.0
"""Seconds after which a hook that has not returned is reported."""


def verdict(
    connection: ConnectionStatus,
    journal: JournalStatus,
    plugins: Sequence[PluginStatus],
    tables: Sequence[TableStatus],
    api: ApiStatus,
    outbox: OutboxStatus,
    attachments: AttachmentStatus,
    history: HistoryStatus = NO_HISTORY,
    disk: DiskStatus = NO_DISK,
    not_in_force: str = "",
    nameless: str = "",
) -> tuple[State, tuple[str, ...]]:
    """The state, and what an operator should know about it."""
    blocking = _blocking(connection, journal)
    if disk.problem and not journal.problem:  # One cause, told once.
        blocking.append(f"the disk: {disk.problem}")
    if history.deaf:
        blocking.append(f"events are not being received: {history.deaf}")
    lasting = [*_plugins(plugins), *_tables(tables)]
    if outbox.problem:
        lasting.append(f"{outbox.waiting} messages wait and {outbox.failed} were given up; the last: {outbox.problem}")
    if attachments.problem:
        lasting.append(f"{attachments.waiting} attachments wait: {attachments.problem}")
    lasting += _history(history)
    if disk.warning:
        lasting.append(disk.warning)
    if not_in_force:
        lasting.append(f"a change is not in force: {not_in_force}")
    if nameless:
        lasting.append(f"names cannot be looked up: {nameless}")
    if api.quota and api.used >= api.quota:
        lasting.append(f"all {api.quota} API calls of {api.month} are used; tables are written again next month")
    if blocking:
        return "unhealthy", (*blocking, *lasting)
    if connection.phase != "connected":
        return "unknown", ("no frame was received yet", *lasting)
    starting = [plugin.name for plugin in plugins if plugin.phase == "starting" and plugin.busy_for <= LONG_CALL]
    if starting:
        return "unknown", (f"still starting: {', '.join(starting)}", *lasting)
    return ("degraded" if lasting else "healthy"), tuple(lasting)


def _blocking(connection: ConnectionStatus, journal: JournalStatus) -> list[str]:
    reasons = []
    if journal.problem:
        reasons.append(f"events cannot be stored: {journal.problem}")
    if connection.phase == "stopped":
        reasons.append(f"the connection is stopped{f': {connection.problem}' if connection.problem else ''}")
    elif connection.phase != "connected" and connection.problem:
        reasons.append(f"events are not being received: {connection.problem}")
    return reasons


def _plugins(plugins: Sequence[PluginStatus]) -> list[str]:
    reasons = []
    for plugin in plugins:
        if plugin.phase in TROUBLED or (plugin.problem and plugin.phase == "running"):
            reasons.append(f"plugin {plugin.name} is {plugin.phase}: {plugin.problem}")
        if plugin.busy_for > LONG_CALL:
            reasons.append(f"plugin {plugin.name} has been busy with one event for {plugin.busy_for:.0f} s")
        if plugin.retrying and plugin.phase != "suspended":
            reasons.append(f"plugin {plugin.name} retries {plugin.retrying} events")
        if plugin.dead:
            reasons.append(f"plugin {plugin.name} has {plugin.dead} dead letters")
    return reasons


def _history(history: HistoryStatus) -> list[str]:
    reasons = [f"missed messages of {group.chat_id}: {group.problem}" for group in history.groups if group.problem]
    waiting = sum(group.reading for group in history.groups)
    if history.for_budget and waiting:
        reasons.append(f"missed messages of {waiting} groups wait until the month's API calls can bear it")
    return [*reasons, f"missed messages: {history.problem}"] if history.problem else reasons


def _tables(tables: Sequence[TableStatus]) -> list[str]:
    return [f"table {table.plugin}.{table.name}: {table.problem}" for table in tables if table.problem]
