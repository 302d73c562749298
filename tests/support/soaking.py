"""An even load for a long time, and what the operating system says of the program meanwhile."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from crowd import RATES, Crowd
from journal_account import natural_keys
from theatre import Play, Program, program, theatre, until

EVERY = 10.0
"""Seconds between two measurements."""
QUIET = 60.0
"""Seconds with one event each, by a program of its own."""
SECTIONS = "[plugins.archive.config]\nsummary_quiet_minutes = 1\n"
"""The first summary loads a dictionary of 37 MB, once: early, so that it belongs to the warm-up."""
DEFAULTS = {"API_MONTHLY_QUOTA": "10000", "PIN_MONITOR_INTERVAL": ""}
"""What a program does where nobody set anything; under the load calls have no end."""
_TICKS = os.sysconf("SC_CLK_TCK")
_PER_MESSAGE = 1 + RATES.reactions * (1 + RATES.removals) + RATES.recalls
"""Events of a crowd."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The program at one moment; ``at`` and ``cpu`` in seconds, sizes in bytes."""

    at: float
    memory: int
    """Anonymous: without what is only mapped from files."""
    files: int
    threads: int
    cpu: float
    journal: int


@dataclass(frozen=True, slots=True)
class Soak:
    """What was seen."""

    rate: float
    samples: list[Sample]
    acknowledged: int
    missing: int
    """Acknowledged, and not in the journal."""
    lag: int
    """Events that some plugin had still to handle at the end of the load."""
    latency: dict[str, float]
    quiet_cpu: float
    """Share of one core at one event a second, with the settings that a program has when none is given."""
    eager_cpu: float
    """The same with API calls without end, so that rows are written every two seconds and pins read every ten."""

    def after(self, warm_up: float) -> list[Sample]:
        """What was measured after so many seconds."""
        return [sample for sample in self.samples if sample.at >= warm_up]

    def slope(self, warm_up: float) -> float:
        """Bytes an hour that memory grows by, as the line of least squares says."""
        warm = self.after(warm_up)
        line = statistics.linear_regression([one.at for one in warm], [float(one.memory) for one in warm])
        return line.slope * 3600

    def growth(self, warm_up: float) -> float:
        """Bytes between the medians of the first and the last fifth after the warm-up."""
        memory = [sample.memory for sample in self.after(warm_up)]
        fifth = max(1, len(memory) // 5)
        return statistics.median(memory[-fifth:]) - statistics.median(memory[:fifth])

    @property
    def journal_bytes(self) -> float:
        """Per event."""
        return self.samples[-1].journal / max(1, self.acknowledged)


def soak(
    directory: Path,
    *,
    seconds: float,
    rate: float,
    every: float = EVERY,
    quiet: float = QUIET,
    tell: Callable[[str], None] = lambda line: None,
) -> Soak:
    """Have ``rate`` events a second for so long. Raises ``AssertionError`` when the program ends by itself."""
    gap = 1000 * _PER_MESSAGE / rate
    crowd = Crowd(messages=round((seconds + 3) * 1000 / gap), begin=int(time.time() * 1000), gap=gap, pins=0.0002)
    with (
        theatre(Play(crowd, speed=1.0, window=512), directory) as stage,
        program(directory, stage, sections=SECTIONS) as running,
    ):
        until(lambda: stage.stats()["pushes"]["acked"] > 0, "the first event")
        began = time.monotonic()
        samples = []
        while (now := time.monotonic() - began) < seconds:
            running.check()
            samples.append(_sample(running, directory, now))
            tell(_line(samples[-1]))
            time.sleep(max(0.0, every - (time.monotonic() - began - now)))
        samples.append(_sample(running, directory, time.monotonic() - began))
        pushes = stage.stats()["pushes"]
        lag = max(plugin["lag"] for plugin in running.status()["plugins"])
        until(stage.over, "the rest of the load")
        listed = {one["key"] for one in stage.listed("acknowledged")}
        assert running.end() == 0, running.said()[-2000:]
    missing = listed - natural_keys(directory / "data").keys()
    quiet_cpu = _at_one_event_a_second(directory / "quiet", quiet, DEFAULTS)
    eager_cpu = _at_one_event_a_second(directory / "eager", quiet, {})
    return Soak(rate, samples, pushes["acked"], len(missing), lag, pushes["ack_ms"], quiet_cpu, eager_cpu)


def _at_one_event_a_second(directory: Path, seconds: float, settings: Mapping[str, str]) -> float:
    """The share of one core that a program uses then, from a while after its start."""
    directory.mkdir()
    crowd = Crowd(messages=round(seconds) + 30, begin=int(time.time() * 1000), gap=1000 * _PER_MESSAGE, pins=0.0)
    with (
        theatre(Play(crowd, speed=1.0), directory) as stage,
        program(directory, stage, settings=settings) as running,
    ):
        until(lambda: stage.stats()["pushes"]["acked"] >= 3, "the first events")
        time.sleep(seconds / 6)
        began, before = time.monotonic(), _cpu(running.pid)
        time.sleep(seconds)
        return (_cpu(running.pid) - before) / (time.monotonic() - began)


def _sample(running: Program, directory: Path, at: float) -> Sample:
    told = dict(line.split(":", 1) for line in Path(f"/proc/{running.pid}/status").read_text().splitlines())
    journal = sum(file.stat().st_size for file in (directory / "data").glob("journal.db*"))
    files = len(os.listdir(f"/proc/{running.pid}/fd"))
    memory, threads = int(told["RssAnon"].split()[0]) * 1024, int(told["Threads"])
    return Sample(at, memory, files, threads, _cpu(running.pid), journal)


def _cpu(pid: int) -> float:
    """Seconds of CPU time so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _line(sample: Sample) -> str:
    return (
        f"{sample.at:>7.0f} s  {sample.memory / (1 << 20):>7.1f} MB  {sample.files:>3} files  "
        f"{sample.threads:>3} threads  {sample.cpu:>8.1f} s CPU  journal {sample.journal / (1 << 20):>7.1f} MB"
    )
