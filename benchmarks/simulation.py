"""Lives of a simulated process, thousands of them: everything fails, and every promise is checked at the end.

    python benchmarks/simulation.py --seeds 10000 [--first 0] [--jobs 2]

Each seed is one life on a virtual clock: a gateway that pushes twice, late and out of order; an API that fails in every
documented way, also after the work was done; a disk that refuses; hooks that raise; and a process that ends between any
two steps and begins anew from its files. Then everything that was acknowledged must be in the journal once, the
plugin's table a fold of the journal, Bitable equal to the table without a key twice, and the chat hold each message
once. Exit code 1 when a promise was broken; the line says how to live that life again.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from simulation import Outcome, one_life  # noqa: E402

EVERY = 500
"""Lives between two lines."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    given = parser.parse_args()
    broken: list[Outcome] = []
    events = starts = calls = 0
    troubles: Counter[str] = Counter()
    ends: Counter[str] = Counter()
    began = time.monotonic()
    with multiprocessing.get_context("spawn").Pool(given.jobs) as pool:
        seeds = range(given.first, given.first + given.seeds)
        for done, outcome in enumerate(pool.imap_unordered(one_life, seeds, chunksize=10), 1):
            events, starts, calls = events + outcome.events, starts + outcome.starts, calls + outcome.calls
            troubles += outcome.troubles
            ends += outcome.ends
            if outcome.violation:
                broken.append(outcome)
                print(f"seed {outcome.seed}: {outcome.violation}")
                print(f"    again: python benchmarks/simulation.py --first {outcome.seed} --seeds 1", flush=True)
            if done % EVERY == 0:
                print(f"{done} lives, {len(broken)} broken, {done / (time.monotonic() - began):.1f}/s", flush=True)
    seconds = time.monotonic() - began
    print(
        f"{given.seeds} lives in {seconds:.0f} s ({given.seeds / seconds:.1f}/s), {len(broken)} with a broken promise"
    )
    print(f"{events} events, {starts} starts of the process, {calls} calls")
    print(f"ended {ends.total()} times: {', '.join(f'{point} {count}' for point, count in ends.most_common())}")
    print(f"calls failed {troubles.total()} times: {', '.join(f'{k} {n}' for k, n in troubles.most_common())}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
