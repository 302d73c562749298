"""Hostile frames, envelopes and contents among good ones: no crash, no lost neighbour, every reject with a reason.

    python benchmarks/fuzz.py --cases 200000 [--seed 0] [--jobs 1]

Each case is grown from a grammar (``tests/support/hostile.py``) and goes the way of every push: frame, parts, envelope,
journal, the hooks of the bundled plugins; its ``content`` also through the rendering alone. The fixed corpus of
``tests/corpus`` comes first. Exit code 1 when something was found; the same seed finds it again.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from fuzzing import Report, corpus, fuzz, grown, render_all  # noqa: E402

SHARE = 5_000
"""Cases of one seed."""


def one_share(first: int, number: int) -> tuple[Report, list[str]]:
    seed = first + number
    return fuzz(grown(seed, SHARE)), render_all(seed, SHARE)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    given = parser.parse_args()
    began = time.monotonic()
    total = fuzz(corpus())
    print(f"corpus: {total.cases} cases, {len(total.findings)} findings", flush=True)
    findings, contents = list(total.findings), 0
    shares = range(-(-given.cases // SHARE))
    with multiprocessing.get_context("spawn").Pool(given.jobs) as pool:
        for report, rendered in pool.imap_unordered(partial(one_share, given.seed), shares):
            findings += report.findings + rendered
            contents += SHARE
            total.cases, total.frames = total.cases + report.cases, total.frames + report.frames
            total.journaled, total.good = total.journaled + report.journaled, total.good + report.good
            for name in ("rejected", "unreadable", "refused"):
                getattr(total, name).update(getattr(report, name))
            print(
                f"{total.cases} cases, {len(findings)} findings, {total.cases / (time.monotonic() - began):.0f}/s",
                flush=True,
            )
    for finding in dict.fromkeys(findings):
        print(f"FOUND {finding}")
    print(f"{total.cases} cases in {total.frames} frames, and {contents} contents rendered alone")
    print(f"{total.good} good events among them, all acknowledged, stored and handled unless said above")
    print(f"{total.journaled} events journaled")
    _tell("frames dropped", total.rejected)
    _tell("events nobody can read, kept", total.unreadable)
    _tell("events a plugin refused", total.refused)
    print(f"{len(findings)} findings")
    return 1 if findings else 0


def _tell(what: str, counts: Counter[str]) -> None:
    print(f"{what}: {counts.total()}")
    for reason, count in counts.most_common():
        print(f"    {count:8} {reason}")


if __name__ == "__main__":
    sys.exit(main())
