"""What the program knows about itself at one moment, as plain values; it never measures anything itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

State = Literal["healthy", "degraded", "unhealthy", "unknown"]
"""``healthy`` everything enabled works · ``degraded`` something is retried or parked, nothing is lost · ``unhealthy``
events are not being received or not being stored · ``unknown`` not yet established."""

Phase = Literal["starting", "connecting", "connected", "waiting", "stopped"]
"""``connected`` only after a frame was received on the socket; ``waiting`` between two attempts."""


PluginPhase = Literal["starting", "running", "waiting", "suspended", "failed", "stopped", "unfit"]
"""``waiting`` not ready yet, tried again · ``suspended`` too many of its events failed in a row, until it is resumed ·
``failed`` needs a person · ``unfit`` broken, and set aside before it was started."""


@dataclass(frozen=True, slots=True)
class ConnectionStatus:
    """The long connection. Clocks are ms UTC, None where it has not happened since the start."""

    phase: Phase = "starting"
    connected_since: int | None = None
    last_frame: int | None = None
    last_pong: int | None = None
    last_event: int | None = None
    reconnects: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    """Frames dropped since the start, by reason."""
    problem: str = ""
    """Why there is no connection now, with what to do; empty while all is well."""


@dataclass(frozen=True, slots=True)
class JournalStatus:
    """The journal; counts are since the start."""

    head: int = 0
    received: int = 0
    duplicates: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    """Events nobody can read that are kept, by reason, since ever."""
    problem: str = ""
    """Why nothing can be stored now, or empty."""


@dataclass(frozen=True, slots=True)
class PluginStatus:
    """One enabled plugin."""

    name: str
    summary: str
    phase: PluginPhase
    cursor: int = 0
    lag: int = 0
    """Events in the journal beyond the cursor."""
    handled: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    """Events not handed to the plugin since the start, by reason."""
    retrying: int = 0
    attempts: int = 0
    """Failed attempts since the start."""
    dead: int = 0
    problem: str = ""
    busy_for: float = 0.0
    """Seconds the current hook call has been running, 0 when idle."""


@dataclass(frozen=True, slots=True)
class TableStatus:
    """One table that is mirrored to Bitable, or would be if its setting were given."""

    plugin: str
    name: str
    table_id: str
    """Empty: stored locally only."""
    rows: int
    waiting: int
    """Rows that Bitable does not show as they are."""
    last_flush: int | None = None
    next_flush: int | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class ApiStatus:
    """Calls of the platform's API this month."""

    month: str = ""
    quota: int = 0
    used: int = 0
    forecast: int = 0
    """What the month will have cost when it goes on like the last seven days."""
    by_name: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OutboxStatus:
    """Messages that plugins want sent."""

    waiting: int = 0
    failed: int = 0
    """Given up, since ever."""
    problem: str = ""
    """Why the last one of them could not be sent."""


@dataclass(frozen=True, slots=True)
class AttachmentStatus:
    """Resources of messages that plugins want to have; each counts once, whoever asked for it."""

    mode: Literal["upload", "local", "both", "off"] = "off"
    waiting: int = 0
    for_budget: bool = False
    """They wait until the month's API calls can bear it."""
    done: int = 0
    bytes: int = 0
    """Of those that are done."""
    failed: int = 0
    """Requests that could not be fulfilled, since ever."""
    problem: str = ""
    """Why nothing can be fetched now, or empty."""


@dataclass(frozen=True, slots=True)
class GroupHistory:
    """How complete the journal is for one group. Times are ms UTC, None where there is none."""

    chat_id: str
    mark: int | None = None
    """Everything said until then is in the journal, as far as the platform shows it."""
    reading: bool = False
    """What came after it is being read, or waits to be."""
    repaired: int | None = None
    """When its history was last read to the end."""
    found: int = 0
    """Events that had been missed, of this or the last reading; so are the next two."""
    unread: int = 0
    """Messages whose reactions were not read, as the API calls did not reach."""
    calls: int = 0
    problem: str = ""


@dataclass(frozen=True, slots=True)
class HistoryStatus:
    """What is done about times in which nothing was heard."""

    groups: tuple[GroupHistory, ...] = ()
    for_budget: bool = False
    """Reading waits until the month's API calls can bear it."""
    left_out: dict[str, int] = field(default_factory=dict)
    """Messages read since the start of which no event was made, by reason."""
    checks: int = 0
    """Calls since the start that asked whether a silence is real."""
    deaf: str = ""
    """That pushes do not arrive although the connection stands, and what to do; empty while all is well."""
    problem: str = ""
    """Why nothing can be read now, or empty."""


@dataclass(frozen=True, slots=True)
class DiskStatus:
    """The data directory and its databases; sizes in bytes."""

    free: int = 0
    """On its disk."""
    journal: int = 0
    store: int = 0
    trimmed: int = 0
    """Events forgotten since the start because of their age."""
    checked: int | None = None
    """When everything was last checked, ms."""
    problem: str = ""
    """What is damaged and what to do, or empty."""
    warning: str = ""
    """What will be a problem, or why upkeep could not be done."""


@dataclass(frozen=True, slots=True)
class Status:
    """Everything at once, with the verdict and its reasons."""

    state: State
    reasons: tuple[str, ...]
    started: int
    now: int
    connection: ConnectionStatus
    journal: JournalStatus
    plugins: tuple[PluginStatus, ...]
    tables: tuple[TableStatus, ...]
    api: ApiStatus
    outbox: OutboxStatus = OutboxStatus()
    attachments: AttachmentStatus = AttachmentStatus()
    history: HistoryStatus = HistoryStatus()
    disk: DiskStatus = DiskStatus()
    not_in_force: str = ""
    """Why ``plugins.toml`` as it stands now is not what the program runs by, or empty."""
    nameless: str = ""
    """Why people's names cannot be looked up, or empty."""
