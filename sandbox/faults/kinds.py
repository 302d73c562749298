"""Every kind of fault there is: where it strikes, what it does, what can be set about it; it does nothing itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .codes import EVERY_WRITERS

Place = Literal["push", "frame", "line", "handshake", "discovery", "call", "clock"]

HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault. ``settings`` are the fields of a ``Fault`` it has beyond the usual ones, with their values."""

    place: Place
    says: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    on: str = "*"
    """What it strikes unless the fault says otherwise."""


RECORDS = "bitable.v1.appTableRecord.*"
LOGGED_IN = "!auth.*"

KINDS: Mapping[str, Kind] = {
    # Before an event is sent.
    "duplicate": Kind("push", "the event is pushed `count` times more, `seconds` later", {"count": 1, "seconds": 0.0}),
    "reorder": Kind(
        "push",
        "`count` later pushes go first; it waits `seconds` for them at most",
        {"count": 5, "seconds": 1.0},
    ),
    "delay": Kind("push", "the push comes `seconds` late", {"seconds": (0.1, 1.0)}),
    "late": Kind(
        "push",
        "the push comes `seconds` late: of the world's if `world`, else times the re-push factor",
        {"seconds": HOUR, "world": False},
    ),
    "repush": Kind(
        "push",
        "the event is pushed now and once more `seconds` later, counted as of `late`",
        {"seconds": HOUR, "world": False},
    ),
    "lost": Kind("push", "the event is never pushed"),
    # The frames of a push.
    "torn": Kind("frame", "its first frame ends too soon"),
    "headless": Kind("frame", "its frames have no header but the type"),
    "garbage": Kind("frame", "`size` bytes that mean nothing come before it", {"size": 64}),
    "oversized": Kind("frame", "its payload is longer by `size` bytes of white space", {"size": 2 << 20}),
    "split": Kind("frame", "it comes in `count` parts", {"count": 3}),
    "parts-disordered": Kind("frame", "it comes in `count` parts in a random order", {"count": 3}),
    "part-missing": Kind("frame", "one of its `count` parts never comes", {"count": 3}),
    "part-twice": Kind("frame", "one of its `count` parts comes twice", {"count": 3}),
    "dribble": Kind("frame", "its bytes come in `count` pieces over `seconds`", {"count": 8, "seconds": 0.2}),
    "cut": Kind("frame", "the connection ends at a random byte of it"),
    # Connections: when they open, or one of those that are open every so often.
    "drop": Kind(
        "line",
        "the connection ends without a goodbye, at any byte; one that just opened does `seconds` later",
        {"seconds": (0.0, 5.0)},
    ),
    "half-open": Kind("line", "it stays open and nothing comes, for `seconds` (0: for ever)", {"seconds": 0.0}),
    "pongs-only": Kind("line", "pings are answered and no event comes, for `seconds` (0: for ever)", {"seconds": 0.0}),
    "handshake-refused": Kind("handshake", "refused with the error `codes`", {"codes": (1000040343,)}),
    "handshake-hangs": Kind("handshake", "not answered for `seconds`, then cut", {"seconds": 60.0}),
    # Endpoint discovery.
    "discovery-refused": Kind("discovery", "answers one of `codes`", {"codes": (1,)}),
    "discovery-failed": Kind("discovery", "answers one of the HTTP `statuses`", {"statuses": (500, 502, 503, 504)}),
    "discovery-garbage": Kind("discovery", "answers something else than it should"),
    "discovery-hangs": Kind("discovery", "not answered for `seconds`, then cut", {"seconds": 60.0}),
    "discovery-astray": Kind("discovery", "answers an address where nobody listens"),
    # Calls of the open API.
    "limited": Kind("call", "HTTP 429, 99991400 and the headers: again in `seconds`", {"seconds": 1.0}),
    "limited-400": Kind("call", "HTTP 400 with 99991400, as older APIs do, without the headers"),
    "failed": Kind(
        "call",
        "one of the HTTP `statuses` from a proxy, in a share of `done` after it was carried out",
        {"statuses": (500, 502, 503, 504), "done": 0.0},
    ),
    "token-invalid": Kind("call", "99991663: every token is invalid from now on", {}, LOGGED_IN),
    "refused": Kind(
        "call",
        "one of `codes`, in a share of `done` after it was carried out (unset: as the code implies)",
        {"codes": EVERY_WRITERS, "done": None},
        "bitable.*",
    ),
    "slow": Kind("call", "carried out `seconds` late", {"seconds": (0.2, 2.0)}),
    "stuck": Kind("call", "neither carried out nor answered for `seconds`, then cut", {"seconds": 60.0}),
    "unreached": Kind("call", "the line is cut before it is carried out"),
    "answer-lost": Kind("call", "carried out, then the line is cut instead of an answer"),
    "answer-cut": Kind("call", "carried out, then the line is cut in the middle of the answer"),
    "answer-garbage": Kind("call", "carried out, then answered with HTTP 200 and a page of HTML"),
    "record-deleted": Kind("call", "just before it a person deletes a record of the table", {}, RECORDS),
    "column-deleted": Kind("call", "just before it a person deletes a column of the table", {}, RECORDS),
    "table-deleted": Kind("call", "just before it a person deletes the table", {}, RECORDS),
    # Time.
    "clock-jump": Kind(
        "clock", "the clock of the world jumps by `seconds`, back if below 0", {"seconds": (-HOUR, HOUR)}
    ),
}
