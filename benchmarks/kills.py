"""``kill -9`` at random moments: is anything lost, counted twice, or in Bitable twice?

    python benchmarks/kills.py [--kills 500] [--messages 88000] [--seed 1] [--pace SECONDS]

A sandbox plays a crowd (88,000 messages are about 101,000 events) into ``python -m core run`` with all bundled plugins,
with duplicates, pushes out of order and events pushed again long after. The program is killed again and again, half of
the times 0.2 to 3 s after its start, half of the times a random number of events later; at last it may finish. Then

- every event the sandbox saw acknowledged is looked for in the journal,
- every cell of the tables of activity, archive, topics and pins, in the sandbox's Bitable and in the program's own
  database, is compared with independent accounts of the same acts.

Exit code 1 when one thing is wrong.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from killing import Verdict, crowd_of_a_day, judged, killed, settled  # noqa: E402


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--messages", type=int, default=88_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pace", type=float, default=3.0, help="seconds one life takes on average, for the tempo")
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        crowd = crowd_of_a_day(options.messages, options.seed)
        with killed(
            directory,
            crowd,
            kills=options.kills,
            pace=options.pace,
            tell=lambda line: print(f"{time.monotonic() - began:>7.0f} s  {line}", flush=True),
        ) as stage:
            lives = time.monotonic() - began
            settled(directory, stage, seconds=1800)
            found = judged(directory, stage, crowd)
    print(f"kills                       {options.kills:>12,} in {lives:.0f} s")
    return report(found)


def report(found: Verdict) -> int:
    """Print the figures; the exit code."""
    pushes = found.pushes
    print(f"events                      {found.events:>12,}")
    print(f"acknowledged                {found.acknowledged:>12,}")
    print(f"pushed                      {pushes['sent']:>12,} ({pushes['duplicated']:,} duplicates,")
    print(f"                            {pushes['repushed']:>12,} pushed again, {pushes['given_up']:,} given up)")
    print(f"API calls                   {sum(found.calls['by_name'].values()):>12,}")
    print(f"missing from the journal    {len(found.missing):>12,}")
    print(f"in the journal twice        {len(found.twice):>12,}")
    for table, rows in found.sizes.items():
        wrong = len(found.bitable[table]), len(found.database[table])
        print(f"{table:<27} {wrong[0]:>12,} differences in Bitable, {wrong[1]:,} in the database, of {rows:,} rows")
    print(f"missing or doubled rows     {found.unique:>12,}")
    for line in found.wrong[:20]:
        print(f"  {line[:300]}")
    return 1 if found.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
