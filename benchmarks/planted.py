"""Bugs that somebody could make, planted one by one: which harness finds it, and after how long.

    python benchmarks/planted.py [BUG …]

Every harness of this project is worth something only if it fails when the code is wrong. Each entry of ``PLANTED``
names a bug, the harness, and a function that runs the harness on the bug; it returns what was found, or "" when nothing
was. Nothing is patched: the wrong part is handed to the harness in place of the right one. Exit code 1 when a bug was
not found.
"""

from __future__ import annotations

import contextlib
import importlib
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


def by_simulating(module: str, engine: str) -> Callable[[], str]:
    """Live lives on an engine with the bug, seed after seed."""

    def find() -> str:
        from simulation import one_life

        broken = getattr(importlib.import_module(module), engine)
        outcomes = (one_life(seed, broken) for seed in range(1, 300))
        return next((f"seed {one.seed}: {one.violation}" for one in outcomes if one.violation), "")

    return find


def by_machine(machine: str, module: str, engine: str) -> Callable[[], str]:
    """Let Hypothesis drive a state machine on an engine with the bug."""

    def find() -> str:
        import machines
        from hypothesis import Phase, settings
        from hypothesis.stateful import run_state_machine_as_test

        broken = getattr(importlib.import_module(module), engine)
        planted = type(f"Broken{machine}", (getattr(machines, machine),), {"engine_type": broken})
        plainly = settings(machines.RUNS, max_examples=500, phases=[Phase.generate], database=None, print_blob=False)
        with contextlib.redirect_stdout(None):
            try:
                run_state_machine_as_test(planted, settings=plainly)
            except AssertionError as error:
                return str(error).partition("\n")[0] or "an assertion"
        return ""

    return find


PLANTED: list[Planted] = [
    Planted("acknowledge before commit", "power loss", by_cutting_the_power("EarlyAcknowledgement")),
    Planted("synchronous=NORMAL", "power loss", by_cutting_the_power("SynchronousNormal")),
    Planted("cursor outside the transaction", "power loss", by_cutting_the_power("CursorOutside")),
    Planted("acknowledge before commit", "simulation", by_simulating("planted_storage", "EarlyAcknowledgement")),
    Planted("cursor outside the transaction", "simulation", by_simulating("planted_storage", "CursorOutside")),
    Planted("de-duplication removed", "simulation", by_simulating("planted_doubles", "DeduplicationRemoved")),
    Planted("a row sent to Bitable twice", "simulation", by_simulating("planted_doubles", "CreationForgotten")),
    Planted("an outbox row sent twice", "simulation", by_simulating("planted_doubles", "MessageUnsettled")),
    Planted(
        "acknowledge before commit",
        "journal machine",
        by_machine("JournalMachine", "planted_storage", "EarlyAcknowledgement"),
    ),
    Planted(
        "de-duplication removed",
        "journal machine",
        by_machine("JournalMachine", "planted_doubles", "DeduplicationRemoved"),
    ),
    Planted(
        "cursor outside the transaction", "bus machine", by_machine("BusMachine", "planted_storage", "CursorOutside")
    ),
    Planted(
        "a row sent to Bitable twice",
        "mirror machine",
        by_machine("MirrorMachine", "planted_doubles", "CreationForgotten"),
    ),
    Planted("an outbox row sent twice", "bus machine", by_machine("BusMachine", "planted_doubles", "MessageUnsettled")),
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
