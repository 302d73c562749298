"""One plugin misbehaves: what do the others and the acknowledgements notice?

    python benchmarks/isolation.py [--seconds 30] [--rate 50] [NAME …]

The same load is played once with the bundled plugins alone and once beside each of: a plugin that raises at every
message, one that sleeps for 10 minutes, one that calls sys.exit(), one that keeps 100 KB of every message; three that
block: one that waits for 5 s in a call that does not await and one that computes for 5 s in Python, every 500 messages,
and one that holds the interpreter's lock for 5 s once, as a C extension may. Each line has the acknowledgement p50 and
p99 as the platform saw them, how far the bundled plugins were behind, pushes that were not acknowledged within 3 s, and
what is wrong with the journal and the tables in the end. Exit code 1 when something is, when the p99 is 1 s or more
beside any but the last one, or when the program does not say who held the interpreter: nothing in a process can run
meanwhile, and the platform pushes again what came (docs/adr/0016-one-process.md).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from isolating import UNRULY, beside  # noqa: E402

ALONE = "alone"
FREEZES = "freezes"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(UNRULY)} (default: all)")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=50.0, help="events a second")
    options = parser.parse_args()
    if unknown := set(options.names) - UNRULY.keys():
        parser.error(f"there is no {', '.join(unknown)}")
    failed = False
    print("beside      ack p50 / p99 ms      lag p50 / p99 / max    late pushes   memory MB   wrong", flush=True)
    for name in (ALONE, *(options.names or UNRULY)):
        with tempfile.TemporaryDirectory() as directory:
            unruly = [name] if name != ALONE else []
            found = beside(Path(directory), unruly, events_a_second=options.rate, seconds=options.seconds)
        p50, p99 = found.latency["p50"], found.latency["p99"]
        lags = f"{found.lag(0.5):>6,.0f} / {found.lag(0.99):,.0f} / {found.lags[-1]:,}"
        wrong = found.verdict.wrong
        print(f"{name:<10} {p50:>8.1f} / {p99:>8.1f}    {lags:<24} {found.timed_out:>8,}"
              f" {found.memory / (1 << 20):>11.0f} {len(wrong):>7,}", flush=True)  # fmt: skip
        for line in (*wrong[:10], *found.noticed):
            print(f"  {line[:200]}")
        failed |= bool(wrong) or (p99 >= 1000 if name != FREEZES else not any(name in line for line in found.noticed))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
