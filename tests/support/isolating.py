"""One plugin that misbehaves beside the bundled ones, and what these and the platform notice of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import plugin_package
from crowd import Crowd
from killing import SECTIONS, Verdict, crowd_of_a_day, judged, nothing_left, stored
from storming import percentile
from theatre import BUNDLED, Play, program, theatre, until

_FRAME = """\
import asyncio, ctypes, sys, time

from core import Context, Manifest, Message, hookimpl

manifest = Manifest(name="{name}", summary="Misbehaves.")
kept = []
heard = 0


@hookimpl
async def on_message(message: Message, ctx: Context) -> None:
    global heard
    heard += 1
    {does}
"""
UNRULY: Mapping[str, str] = {
    "raises": "raise ValueError('as always')",
    "sleeps": "await asyncio.sleep(600)",
    "exits": "sys.exit('goodbye')",
    "leaks": "kept.append(ctx.state.get('kept', '') + 'x' * 100_000)",
    "blocks": "heard % 500 == 50 and time.sleep(5)",
    "spins": "while heard % 500 == 50 and time.monotonic() - began < 5: pass",
    "freezes": "heard == 50 and ctypes.PyDLL(None).sleep(5)",
}
"""What each does with a message. ``blocks`` waits for 5 s in a call that does not await, ``spins`` computes for 5 s in
Python, both now and then; ``freezes`` holds the interpreter's lock for 5 s once, as a C extension may: then no thread
of the program can do anything."""
NOTICED = "Nothing could run for"
"""How the program's log line begins that says so."""


@dataclass(frozen=True, slots=True)
class Course:
    """One run. Latencies in ms, lags in events of the bundled plugins."""

    latency: Mapping[str, float]
    lags: Sequence[int]
    """Ascending; the largest of the plugins' each time it was looked at."""
    timed_out: int
    """Pushes that were not acknowledged within 3 s, and came again."""
    verdict: Verdict
    memory: int
    """Bytes of the process at the end."""
    attempts: Mapping[str, int]
    """Failed ones, by plugin."""
    noticed: Sequence[str]
    """What the program said of times in which nothing could run."""

    def lag(self, share: float) -> float:
        """The lag below which that share of the looks found the plugins."""
        return percentile(self.lags, share)


def beside(directory: Path, unruly: Sequence[str], *, events_a_second: float, seconds: float, seed: int = 1) -> Course:
    """The bundled plugins beside those, until they have done everything. Raises ``AssertionError`` when they do not."""
    site = directory / "site"
    site.mkdir()
    for name in unruly:
        does = UNRULY[name]
        if "began" in does:
            does = f"began = time.monotonic()\n    {does}"
        plugin_package.install(site, name, _FRAME.format(name=name, does=does))
    messages = round(events_a_second * seconds / 1.15)
    day = crowd_of_a_day(messages, seed)
    crowd = Crowd(messages, round(day.end - seconds * 1000), seconds * 1000 / messages, seed, pins=0.0)
    lags: list[int] = []
    with (
        theatre(Play(crowd, speed=1.0, retry_factor=0.05, window=512), directory) as stage,
        program(directory, stage, plugins=[*BUNDLED, *unruly], sections=SECTIONS, path=[site]) as running,
    ):
        until(lambda: stage.stats()["pushes"]["acked"] > 0, "the first event")
        with stored(directory) as store:

            def done() -> bool:
                plugins = running.status()["plugins"]
                lags.append(max(plugin["lag"] for plugin in plugins if plugin["name"] in BUNDLED))
                return stage.over() and nothing_left(running, store)

            until(done, "the bundled plugins", seconds=seconds + 120, every=0.2)
        memory = int(Path(f"/proc/{running.pid}/statm").read_text().split()[1]) * 4096
        attempts = {plugin["name"]: plugin["attempts"] for plugin in running.status()["plugins"]}
        running.kill()
        noticed = [line[line.index(NOTICED) :] for line in running.said().splitlines() if NOTICED in line]
        verdict = judged(directory, stage, crowd)
    late = verdict.pushes["timed_out"]
    return Course(verdict.pushes["ack_ms"], sorted(lags), late, verdict, memory, attempts, noticed)
