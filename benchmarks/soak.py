"""The program under an even load for a long time: does it grow?

    python benchmarks/soak.py [--minutes 30] [--rate 100] [--warm-up MINUTES]

A sandbox plays a crowd of 60 people in two groups at ``--rate`` events a second, in real time, into ``python -m core
run`` with all bundled plugins; both are processes of their own. Every 10 s memory, file descriptors, threads, CPU time
and the size of the journal are read from the operating system. Memory is what the process has for itself (RssAnon);
its slope is that of the line through all that was measured after the warm-up (a third of the time unless given). Then
another one is started for the CPU it takes at one event a second, over a minute, with the settings nobody changed, and
one more with API calls without end as under the load. Exit code 1 when an acknowledged event is missing from the
journal, or descriptors or threads became more after the warm-up.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from soaking import Soak, soak  # noqa: E402

MB = 1 << 20
DEFAULT_SETTINGS = "with the settings nobody changed (10,000 calls a month)"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=100.0, help="events a second")
    parser.add_argument("--warm-up", type=float, default=0.0, help="minutes (default: a third of all)")
    options = parser.parse_args()
    seconds, warm_up = options.minutes * 60, options.warm_up * 60 or options.minutes * 20
    with tempfile.TemporaryDirectory() as directory:
        found = soak(Path(directory), seconds=seconds, rate=options.rate, tell=lambda line: print(line, flush=True))
    return report(found, warm_up)


def report(found: Soak, warm_up: float) -> int:
    """Print the figures; the exit code."""
    warm, last = found.after(warm_up), found.samples[-1]
    first = warm[0]
    hours = (last.at - first.at) / 3600
    slope, cpu = found.slope(warm_up) / MB, (last.cpu - first.cpu) / (last.at - first.at)
    more_files, more_threads = last.files - first.files, last.threads - first.threads
    print(f"acknowledged events         {found.acknowledged:>12,} ({found.acknowledged / last.at:.1f}/s)")
    print(f"missing from the journal    {found.missing:>12,}")
    print(f"acknowledgement p50 / p99   {found.latency['p50']:>12.1f} / {found.latency['p99']:.1f} ms")
    print(f"events not yet handled      {found.lag:>12,}")
    print(f"memory after the warm-up    {first.memory / MB:>12.1f} MB, {last.memory / MB:.1f} MB at the end")
    print(f"memory slope                {slope:>12.2f} MB/h over {hours * 60:.1f} minutes")
    print(f"memory, steadied            {found.growth(warm_up) / MB / hours:>12.2f} MB/h (between medians of its ends)")
    print(f"file descriptors            {first.files:>12} {more_files:+}")
    print(f"threads                     {first.threads:>12} {more_threads:+}")
    print(f"journal                     {last.journal / MB:>12.1f} MB, {found.journal_bytes:,.0f} bytes an event")
    print(f"CPU at {found.rate:g} events/s         {100 * cpu:>12.1f} % of one core")
    print(f"CPU at 1 event/s            {100 * found.quiet_cpu:>12.1f} % of one core, {DEFAULT_SETTINGS}")
    print(f"the same, writing at once   {100 * found.eager_cpu:>12.1f} % of one core, with API calls without end")
    return 1 if found.missing or more_files > 5 or more_threads > 2 else 0


if __name__ == "__main__":
    sys.exit(main())
