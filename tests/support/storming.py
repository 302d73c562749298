"""An hour of everything that can go wrong at once, and how long it took the program to get over each of it."""

from __future__ import annotations

import bisect
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crowd import Crowd
from killing import SECTIONS, Verdict, crowd_of_a_day, judged, nothing_left, settled, stored
from theatre import CALLS, Play, program, theatre, until

from sandbox.faults.presets import preset

HARMLESS = frozenset({"slow"})
"""Calls that these strike are answered all the same."""
ANSWERED = frozenset({"answer-lost", "answer-cut", "answer-garbage"})
"""Calls that these strike are carried out, so that they are counted as if they had gone well,"""
OWN = 200
"""as long as so many ms after the strike, or in the same one."""


@dataclass(frozen=True, slots=True)
class Storm:
    """The result, and the recoveries in s, by what was struck: ``push``, ``line`` or ``call``."""

    verdict: Verdict
    recoveries: Mapping[str, Sequence[float]]
    struck: Mapping[str, int]
    """Strikes by kind."""
    calls: int
    failed: int


def storm(
    directory: Path,
    *,
    seconds: float,
    rate: float,
    speed: float,
    seed: int,
    patience: float = 1800.0,
) -> Storm:
    """So many ``seconds`` of the world, ``speed`` times as fast, with ``rate`` messages in each of them.

    Connections are dropped every 5 s of the world on average, so ``speed`` times as often. The storm goes on until
    everything is written. Raises ``AssertionError`` when that does not happen.
    """
    day = crowd_of_a_day(round(seconds * rate), seed)
    crowd = Crowd(day.messages, round(day.end - seconds * 1000), 1000 / rate, seed, pins=0.01)
    faults = [fault.document() for fault in preset("storm")]
    for fault in faults:
        if fault["kind"] == "drop":
            fault["every"] /= speed
    with theatre(Play(crowd, speed=speed, faults=faults), directory) as stage:
        with program(directory, stage, sections=SECTIONS) as running:
            until(stage.over, "the end of the scenario", seconds=seconds / speed + patience, every=0.2)
            with stored(directory) as store:
                until(lambda: nothing_left(running, store), "all to be written", seconds=patience)
            assert running.end() == 0, running.said()[-2000:]
        settled(directory, stage, seconds=patience)
        verdict = judged(directory, stage, crowd)
        strikes = list(stage.listed("faults/strikes"))
        struck = dict(stage.get("faults")["injected"])
        acknowledged = [one["at"] for one in stage.listed("acknowledged")]
    calls = [json.loads(line) for line in (directory / CALLS).read_text().splitlines()]
    failed = sum(1 for one in strikes if _place(one) == "call" and one["kind"] not in HARMLESS)
    return Storm(verdict, recoveries(strikes, sorted(acknowledged), calls), struck, len(calls), failed)


def recoveries(
    strikes: Iterable[Mapping[str, Any]], acknowledged: Sequence[int], calls: Sequence[tuple[int, str, int]]
) -> dict[str, list[float]]:
    """Seconds from each strike to the next acknowledged event, or to the next call of the same API that went well.

    What was not called again has nothing to recover from. Times in ms UTC, ascending.
    """
    well: dict[str, list[int]] = defaultdict(list)
    for at, name, code in calls:
        if code == 0:
            well[name].append(at)
    found: dict[str, list[float]] = defaultdict(list)
    for strike in strikes:
        if strike["kind"] in HARMLESS:
            continue
        place = _place(strike)
        moments = well[strike["to"]] if place == "call" else acknowledged
        index = bisect.bisect_right(moments, strike["at"] + OWN * (strike["kind"] in ANSWERED))
        if index < len(moments):
            found[place].append((moments[index] - strike["at"]) / 1000)
    return {place: sorted(seconds) for place, seconds in found.items()}


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which that ``share`` of the sorted ``values`` lies."""
    return values[min(len(values) - 1, int(len(values) * share))] if values else 0.0


def _place(strike: Mapping[str, Any]) -> str:
    kind = strike["kind"]
    return "push" if kind in ("duplicate", "reorder") else "line" if kind == "drop" else "call"
