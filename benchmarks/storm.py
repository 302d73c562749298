"""An hour in a storm: 20 % duplicates, 10 % out of order, a drop every 5 s, 30 % of the API calls fail.

    python benchmarks/storm.py [--seconds 3600] [--rate 2] [--speed 4] [--seed 1]

The sandbox plays ``--seconds`` of a crowd's life with its preset ``storm``, ``--speed`` times as fast (connections are
dropped so much more often, too), into ``python -m core run`` with all bundled plugins. Then every event the sandbox saw
acknowledged is looked for in the journal, and every cell of the four tables, in the sandbox's Bitable and in the
program's own database, is compared with independent accounts. Recovery is the time from a fault to the next
acknowledged event, or to the next call of the same API that went well; the storm goes on meanwhile, and so does the
waiting for something to happen at all. Exit code 1 when one thing is wrong.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks"), str(ROOT / "tests" / "support")]

from kills import report  # noqa: E402
from storming import percentile, storm  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3600.0, help="of the world")
    parser.add_argument("--rate", type=float, default=2.0, help="messages a second of the world")
    parser.add_argument("--speed", type=float, default=4.0, help="times real time")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        found = storm(
            Path(directory), seconds=options.seconds, rate=options.rate, speed=options.speed, seed=options.seed
        )
    print(f"in the world                {options.seconds:>12,.0f} s, in {time.monotonic() - began:.0f} s")
    code = report(found.verdict)
    print(f"calls that failed           {found.failed:>12,} of {found.calls:,}")
    print(f"faults                      {sum(found.struck.values()):>12,}")
    print("  " + ", ".join(f"{kind} {count:,}" for kind, count in sorted(found.struck.items())))
    for place, what in (("push", "an event"), ("line", "a drop"), ("call", "a failed call")):
        times = found.recoveries.get(place, [])
        p50, p99 = percentile(times, 0.5), percentile(times, 0.99)
        longest = times[-1] if times else 0.0
        print(f"after {what:<21} {p50:>12.2f} s p50, {p99:.2f} s p99, {longest:.2f} s at most ({len(times):,})")
    return code


if __name__ == "__main__":
    sys.exit(main())
