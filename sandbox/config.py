"""Every knob of the offline platform, with the real platform's value as the default; it holds nothing else."""

from __future__ import annotations

import ipaddress
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .faults.fault import Fault
from .permissions import EVENTS, GRANTED

APP_ID = re.compile(r"cli_[0-9a-f]{16}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientConfig:
    """What discovery and every pong tell the client about reconnecting; all in seconds (FEISHU.md §1.1)."""

    reconnect_count: int = -1
    """−1 = for ever."""
    reconnect_interval: int = 120
    reconnect_nonce: int = 30
    """The upper end of the random wait before the first attempt."""
    ping_interval: int = 120

    def document(self) -> dict[str, int]:
        """The values under the platform's names."""
        return {
            "ReconnectCount": self.reconnect_count,
            "ReconnectInterval": self.reconnect_interval,
            "ReconnectNonce": self.reconnect_nonce,
            "PingInterval": self.ping_interval,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxConfig:
    """How one sandbox behaves. Raises ``ValueError`` naming the field that is wrong."""

    host: str = "127.0.0.1"
    """A loopback address; nothing else is accepted."""
    port: int = 0
    """0 = any free port."""
    seed: int = 1
    """The same seed gives the same ids and the same scenario."""

    app_id: str = ""
    """``cli_`` and 16 hex digits; empty = made from the seed."""
    app_secret: str = ""
    """Empty = made from the seed."""
    app_name: str = "larkflock"
    app_enabled: bool = True
    """False: tokens answer 10014, discovery 403."""
    scopes: frozenset[str] = GRANTED
    events: frozenset[str] = EVENTS
    """The subscribed event types."""
    token_lifetime: float = 7200.0
    """Seconds. A token with a quarter of it left (30 minutes of two hours) is not handed out again."""

    client: ClientConfig = ClientConfig()
    connection_limit: int = 50
    ticket_lifetime: float = 60.0
    """Seconds between discovery and handshake."""
    ack_timeout: float = 3.0
    """Seconds, for events and for callbacks."""
    retry_schedule: tuple[float, ...] = (15.0, 300.0, 3600.0, 21600.0)
    """Seconds until each re-push after a push that failed."""
    retry_factor: float = 1.0
    """Multiplies the schedule, and the hours of late pushes; a test shortens hours to milliseconds with it."""
    duplicate_rate: float = 0.0
    """The share of acknowledged events that are pushed once more all the same, with the same event_id."""
    window: int = 512
    """Pushes without an acknowledgement at one time; the others wait."""
    part_size: int = 512 * 1024
    """Bytes of payload in one frame. The platform's own value is unconfirmed (FEISHU.md §1.5)."""

    rate_limits: bool = True
    """Per API and per group. Off: neither 429 nor 230020 is ever answered."""
    monthly_quota: int | None = None
    """API calls until 99991403; None = no quota."""
    records_per_table: int = 50_000
    """Records of one Bitable table until 1254103; the platform's own depends on the tenant's plan (FEISHU.md §5.3)."""
    repeated_uuid: Literal["same", "refuse"] = "same"
    """What a second send with the same ``uuid`` gets within an hour: the first message, or 18121 (unconfirmed)."""

    scenario: str = "bundled"
    """``bundled``, ``quiet`` (a group in which nothing happens by itself), or a JSONL(.gz) file of messages."""
    speed: float = 0.0
    """Times real time; 0 = as fast as acknowledgements come."""
    start: Literal["connected", "told"] = "connected"
    """The scenario starts with the first connection, or when ``POST /sandbox/play`` says so."""
    directory: Path | None = None
    """Where uploads are kept; None = a temporary directory, removed at the end."""

    faults: tuple[Fault, ...] = ()
    """What goes wrong from the start."""
    acknowledged: Path | None = None
    """A file to which every event considered acknowledged is appended, as a line of JSON."""

    def __post_init__(self) -> None:
        if not ipaddress.ip_address(self.host).is_loopback:
            raise ValueError(f"host must be a loopback address, not {self.host}")
        if self.app_id and not APP_ID.fullmatch(self.app_id):
            raise ValueError(f"app_id must be cli_ and 16 hex digits, not {self.app_id!r}")
        positive = ("token_lifetime", "ticket_lifetime", "ack_timeout", "window", "part_size", "connection_limit")
        for name in ("token_lifetime", "ticket_lifetime", "ack_timeout", "duplicate_rate", "speed", "retry_factor"):
            if not math.isfinite(getattr(self, name)):
                raise ValueError(f"{name} must be a finite number, not {getattr(self, name)}")
        for name in (*positive, "records_per_table"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be above 0, not {getattr(self, name)}")
        if not 0 <= self.duplicate_rate < 1:
            raise ValueError(f"duplicate_rate must be from 0 to below 1, not {self.duplicate_rate}")
        for name in ("speed", "retry_factor"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be below 0, not {getattr(self, name)}")
