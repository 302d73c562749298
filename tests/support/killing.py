"""``kill -9`` at random moments while a crowd talks, again and again; then an end, and whether all is right by then."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from crowd import Crowd
from journal_account import natural_keys
from reckoning import SETTINGS, Reckoning
from theatre import BUNDLED, Play, Program, Theatre, program, theatre, until

from core.storage import open_engine
from core.storage.protocol import StoreHandle
from plugins.archive.tables import SUMMARY_AGENDA
from plugins.pin.tables import GROUPS, KNOWN

FAULTS: tuple[Mapping[str, Any], ...] = (
    {"kind": "duplicate", "rate": 0.1},
    {"kind": "repush", "rate": 0.05, "seconds": [600.0, 7200.0]},
    {"kind": "reorder", "rate": 0.05},
)
"""An event in ten comes twice, one in twenty again some seconds later (hours, times the re-push factor)."""
HOUR: Final = 3_600_000
SECTIONS: Final = "[plugins.archive.config]\nsummary_quiet_minutes = 0\n"
"""Or the end would be waited for as long as topics are left alone before they are summarised."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What there was in the end, and everything that is wrong with it."""

    events: int
    acknowledged: int
    pushes: Mapping[str, Any]
    sizes: Mapping[str, int]
    missing: tuple[str, ...]
    """Acknowledged, and not in the journal."""
    twice: tuple[str, ...]
    """In the journal more than once."""
    bitable: Mapping[str, list[str]]
    """What differs there from the accounts, by table."""
    database: Mapping[str, list[str]]
    """The same of the program's own database."""
    calls: Mapping[str, Any]

    @property
    def wrong(self) -> list[str]:
        """A line for each thing."""
        lines = [f"journal: {key} is missing" for key in self.missing]
        lines += [f"journal: {key} is there twice" for key in self.twice]
        for place, tables in (("Bitable", self.bitable), ("database", self.database)):
            lines += [f"{place}, {table}: {line}" for table, found in tables.items() for line in found]
        return lines

    @property
    def unique(self) -> int:
        """Rows of Bitable that are missing, too many or there twice."""
        endings = (": missing", ": too many", ": there twice")
        return sum(1 for lines in self.bitable.values() for line in lines if line.endswith(endings))


def crowd_of_a_day(messages: int, seed: int) -> Crowd:
    """A day's talk that ended an hour ago: pins are announced, topics have been quiet long enough for a summary."""
    end = int(time.time() * 1000) - HOUR
    return Crowd(messages=messages, begin=end - 23 * HOUR, gap=23 * HOUR / messages, seed=seed)


@contextmanager
def killed(
    directory: Path,
    crowd: Crowd,
    *,
    kills: int,
    pace: float,
    longest: float = 3.0,
    retry_factor: float = 0.005,
    tell: Callable[[str], None] = lambda _: None,
) -> Iterator[Theatre]:
    """A theatre in which the program was killed so often; ``pace`` is how long one life takes on average, in s.

    One life in two ends a random 0.2 s to ``longest`` after its start, wherever that is; the other one once so many
    more events were acknowledged, so that each run comes to an end.
    """
    speed = (crowd.end - crowd.begin) / 1000 / (kills * pace)
    chance, share = random.Random(f"kills {crowd.seed}"), max(1, crowd.messages // kills)
    with theatre(Play(crowd, speed=speed, retry_factor=retry_factor, faults=FAULTS), directory) as stage:
        for number in range(1, kills + 1):
            with program(directory, stage, sections=SECTIONS) as running:
                if number % 2:
                    time.sleep(chance.uniform(0.2, longest))
                else:
                    _after_events(stage, running, chance.randint(1, share), chance.random() / 2)
                running.check()
                running.kill()
            if number % 10 == 0:
                stats = stage.stats()
                tell(f"{number:>5} kills, {stats['acknowledged']:>8,} events acknowledged")
        yield stage


def settled(directory: Path, stage: Theatre, *, seconds: float) -> None:
    """Let it finish: what is left to play, then one more start that looks at all pins. Raises ``AssertionError``."""
    if not stage.over():
        with program(directory, stage, sections=SECTIONS) as running:
            until(stage.over, "the end of the scenario", seconds=seconds, every=0.2)
            assert running.end() == 0, running.said()[-2000:]
    began = int(time.time() * 1000)
    with program(directory, stage, sections=SECTIONS) as running, stored(directory) as store:
        until(lambda: _looked(running, store, began), "all pins to be seen", seconds=seconds, every=0.5)
        until(lambda: nothing_left(running, store), "everything to be handled", seconds=seconds, every=0.5)
        assert running.end() == 0, running.said()[-2000:]
    assert running.said().splitlines()[-1] == "Nothing is left to do.", running.said()[-500:]


def judged(directory: Path, stage: Theatre, crowd: Crowd) -> Verdict:
    """What there is now, beside what there should be."""
    scenario = crowd.scenario(directory)
    reckoning = Reckoning(scenario)
    stats, listed = stage.stats(), [one["key"] for one in stage.listed("acknowledged")]
    journal = natural_keys(directory / "data")
    records = {table: stage.records(setting) for table, setting in SETTINGS.items()}
    return Verdict(
        stats["pushes"]["events"],
        len(listed),
        stats["pushes"],
        reckoning.sizes(),
        tuple(key for key in listed if key not in journal),
        tuple(key for key, times in journal.items() if times > 1),
        reckoning.of_bitable(records),
        reckoning.of_database(directory / "data"),
        stats["calls"],
    )


def _after_events(stage: Theatre, running: Program, count: int, and_then: float) -> None:
    """Returns that many acknowledged events and a moment later, or when there are no more."""
    goal = stage.stats()["acknowledged"] + count

    def reached() -> bool:
        running.check()
        stats = stage.stats()
        return bool(stats["acknowledged"] >= goal or stats["scenario"]["done"])

    until(reached, f"{count} more events", every=0.01)
    time.sleep(and_then)


@contextmanager
def stored(directory: Path) -> Iterator[StoreHandle]:
    """The program's own database, for looking at."""
    with open_engine(directory / "data") as engine, closing(engine.store(durable=False)) as store:
        yield store


def _looked(running: Program, store: StoreHandle, began: int) -> bool:
    """Whether a look at all pins of every group that ``began`` then (ms UTC) or later has come to its end."""
    running.check()
    groups = list(store.scan("pin", GROUPS))
    return bool(groups) and all((one["deep_at"] or 0) >= began and one["below"] is None for one in groups)


def nothing_left(running: Program, store: StoreHandle) -> bool:
    """Whether the bundled plugins have handled, written, announced and summarised all that was heard."""
    running.check()
    status = running.status()
    return not (
        any(one["lag"] or one["retrying"] or one["dead"] for one in status["plugins"] if one["name"] in BUNDLED)
        or any(table["waiting"] for table in status["tables"])
        or status["outbox"]["waiting"]
        or store.publications(1)
        or store.count_pending("archive", SUMMARY_AGENDA)[1]
        or any(pin["unread"] or pin["announce"] for pin in store.scan("pin", KNOWN))
    )
