"""Bugs that somebody could make, planted one by one: which harness finds it, and after how long.

    python benchmarks/planted.py [BUG …]

Every harness of this project is worth something only if it fails when the code is wrong. Each entry of ``PLANTED``
names a bug, the harness, and a function that runs the harness on the bug; it returns what was found, or "" when nothing
was. Nothing is patched: the wrong part is handed to the harness in place of the right one. Exit code 1 when a bug was
not found.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]


class Planted(NamedTuple):
    """A bug, and a harness that has to find it."""

    bug: str
    harness: str
    find: Callable[[], str]


def by_cutting_the_power(engine: str) -> Callable[[], str]:
    """Run the power-loss harness on an engine of ``planted_storage``."""

    def find() -> str:
        import planted_storage
        from power_loss import one_seed

        return one_seed(getattr(planted_storage, engine), 1, 600, stop_at_first=True).first

    return find


PLANTED: list[Planted] = [
    Planted("acknowledge before commit", "power loss", by_cutting_the_power("EarlyAcknowledgement")),
    Planted("synchronous=NORMAL", "power loss", by_cutting_the_power("SynchronousNormal")),
    Planted("cursor outside the transaction", "power loss", by_cutting_the_power("CursorOutside")),
]


def main(wanted: Sequence[str]) -> int:
    missed = 0
    print(f"{'bug':32} {'harness':16} {'found after':>12}  what")
    for bug, harness, find in PLANTED:
        if wanted and bug not in wanted:
            continue
        started = time.monotonic()
        found = find()
        missed += not found
        seconds = f"{time.monotonic() - started:.2f} s"
        print(f"{bug:32} {harness:16} {seconds if found else 'NOT FOUND':>12}  {found[:100]}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
