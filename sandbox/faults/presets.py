"""Faults by name, and faults from a file; they decide how much goes wrong, never how."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .codes import CONFLICT, EVERY_WRITERS, LAG, TRANSIENT
from .fault import Fault, FaultError, parse
from .kinds import HOUR, KINDS


def _each(*kinds: str, **given: Any) -> tuple[Fault, ...]:
    return tuple(Fault(kind=kind, **given) for kind in kinds)


API = (
    Fault(kind="limited", rate=0.04),
    Fault(kind="limited-400", rate=0.03),
    Fault(kind="failed", rate=0.05, done=0.25),
    Fault(kind="token-invalid", rate=0.02),
    Fault(kind="answer-lost", rate=0.04),
    Fault(kind="answer-cut", rate=0.03),
    Fault(kind="unreached", rate=0.02),
    Fault(kind="answer-garbage", rate=0.01),
    Fault(kind="refused", rate=0.04, codes=TRANSIENT),
    Fault(kind="refused", rate=0.01, codes=CONFLICT),
    # A replica is a moment behind: it never says so twice in a row, and a program that looks again is told the truth.
    Fault(kind="refused", rate=0.01, codes=LAG, in_a_row=1),
    Fault(kind="failed", rate=0.06, on="!bitable.*"),
    Fault(kind="slow", rate=0.05),
)
"""30 % of the calls of every API fail (28 % of log-ins, which have no token yet), and 5 % are slow."""

PRESETS: Mapping[str, tuple[Fault, ...]] = {
    "storm": (
        Fault(kind="duplicate", rate=0.2),
        Fault(kind="reorder", rate=0.1),
        Fault(kind="drop", every=5.0),
        *API,
    ),
    "late": (
        Fault(kind="delay", rate=0.1),
        Fault(kind="late", rate=0.02),
        Fault(kind="late", rate=0.02, seconds=6 * HOUR),
        Fault(kind="repush", rate=0.02),
        Fault(kind="repush", rate=0.02, seconds=6 * HOUR),
    ),
    "frames": _each(*(kind for kind in KINDS if KINDS[kind].place == "frame"), rate=0.02),
    "lines": (
        Fault(kind="drop", every=10.0),
        Fault(kind="half-open", every=60.0),
        Fault(kind="pongs-only", every=60.0, seconds=30.0),
        *_each("handshake-refused", "handshake-hangs", rate=0.1),
    ),
    "discovery": (
        Fault(kind="discovery-refused", rate=0.3, codes=(1, 403, 514, 1000040343, 1000040345, 1000040350)),
        *_each("discovery-failed", "discovery-garbage", "discovery-astray", rate=0.1),
        Fault(kind="discovery-hangs", rate=0.1),
    ),
    "api": API,
    "bitable": (Fault(kind="refused", rate=0.3, codes=EVERY_WRITERS, in_a_row=1),),
    "people": (
        Fault(kind="record-deleted", rate=0.05),
        Fault(kind="column-deleted", rate=0.002),
        Fault(kind="table-deleted", rate=0.001),
    ),
}


def preset(name: str) -> tuple[Fault, ...]:
    """The faults of a preset. Raises ``FaultError``."""
    try:
        return PRESETS[name]
    except KeyError:
        raise FaultError(f"there is no preset {name}; there are {', '.join(PRESETS)}") from None


def load(name: str) -> tuple[Fault, ...]:
    """The faults of a preset, or of a TOML file: ``preset = "…"``, ``[[fault]]`` tables, or both.

    Raises ``FaultError``.
    """
    if name in PRESETS:
        return PRESETS[name]
    try:
        document = tomllib.loads(Path(name).read_text(encoding="utf-8"))
        return _listed(document)
    except FileNotFoundError:
        raise FaultError(f"there is no preset and no file {name}; presets are {', '.join(PRESETS)}") from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, FaultError) as problem:
        raise FaultError(f"{name}: {problem}") from problem


def _listed(document: Mapping[str, Any]) -> tuple[Fault, ...]:
    if unknown := sorted(document.keys() - {"preset", "fault"}):
        raise FaultError(f"a file of faults has preset and [[fault]], not {', '.join(unknown)}")
    before, listed = document.get("preset"), document.get("fault", [])
    if not isinstance(listed, list):
        raise FaultError("each fault begins with [[fault]]")
    return (*(preset(before) if isinstance(before, str) else ()), *map(parse, listed))
