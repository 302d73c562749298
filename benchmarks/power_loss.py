"""What a power cut may leave: the storage works on a recording disk, and every image is opened and judged.

    python benchmarks/power_loss.py [--images 200000] [--seed 1] [--processes 2]

Each run appends, handles, trims and commits with the project's own SQLite code; then the power is cut at random places,
with a random part of what was not synced on disk, whole writes or 512-byte sectors or torn anywhere. It prints how many
images were corrupt, lacked an acknowledged event or a finished commit, or had cursor and state apart. Exit code 1 when
there was one.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from power_loss import many_seeds  # noqa: E402

from core.storage.sqlite import SqliteEngine  # noqa: E402

PORTION = 10_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    started, seed, total = time.monotonic(), given.seed, None
    while total is None or total.images < given.images:
        images = min(PORTION, given.images - (total.images if total else 0))
        verdict = many_seeds(SqliteEngine, images, seed=seed, processes=given.processes)
        seed += verdict.runs
        if total is None:
            total = verdict
        else:
            total.add(verdict)
        print(f"{time.monotonic() - started:6.0f} s  {total}", flush=True)
    if total.first:
        print(f"The first: {total.first}")
    return 1 if total.bad else 0


if __name__ == "__main__":
    sys.exit(main())
