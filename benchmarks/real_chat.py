"""A real group chat, end to end: file → sandbox → WebSocket → core → Bitable, compared row by row with a recount.

    python benchmarks/real_chat.py [FILE.jsonl.gz] [--messages N]

Plays the file (196,146 messages, with seeded reactions, removals and recalls) as fast as it is acknowledged through
the sandbox's long connection into ``python -m core run``, both as processes of their own; then compares every row in
the sandbox's Bitable with an independent count over the same acts. Exit code 1 when a single cell differs.
"""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from activity_account import account, cells_by_key, differences  # noqa: E402
from measured import Measured, answer, head, measured_program, peak_memory  # noqa: E402

from sandbox.scenario import catalogue  # noqa: E402

SEED = 1
WINDOW = 256
"""Pushes in flight at the most: enough for group commits of a hundred, little enough to measure more than the queue."""
DEFAULT = ROOT.parent / "shared" / "data" / "group-chat.jsonl.gz"
PLUGINS = """
[plugins.activity]
enabled = true
[plugins.health]
enabled = true
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path, default=DEFAULT)
    parser.add_argument("--messages", type=int, default=0, help="only the first N messages (default: all)")
    options = parser.parse_args()
    if not options.file.exists():
        print(f"skipped: {options.file} is not there")
        return 0
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        file = options.file if not options.messages else head(options.file, options.messages, work / "head.jsonl")
        return _run(file, work)


def _run(file: Path, work: Path) -> int:
    command = [sys.executable, "-m", "sandbox", "--json", "--stdin-eof", "--speed", "0", "--seed", str(SEED)]
    command += ["--window", str(WINDOW)]
    sandbox = subprocess.Popen(
        [*command, "--scenario", str(file)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert sandbox.stdout is not None
    env = json.loads(sandbox.stdout.readline())
    try:
        with measured_program(work, PLUGINS, env) as program:
            return _watch(file, program, env)
    finally:
        assert sandbox.stdin is not None
        sandbox.stdin.close()
        sandbox.wait()


def _watch(file: Path, program: Measured, env: dict[str, str]) -> int:
    core, base = program.process, env["FEISHU_BASE_URL"]
    began = acknowledged = handled = time.monotonic()
    stats: dict[str, Any] = {}
    pushing = handling = True
    while True:
        time.sleep(0.2)
        if core.poll() is not None:
            print(f"core ended by itself with exit code {core.returncode}")
            return 1
        stats = answer(f"{base}/sandbox/stats")
        if not stats["scenario"]["played"]:
            began = time.monotonic()
        over = stats["scenario"]["done"] and not stats["pushes"]["waiting"] and not stats["pushes"]["in_flight"]
        if over and pushing:
            acknowledged, pushing = time.monotonic(), False
        if over:
            status = answer(f"{program.health}/status")
            if handling and not any(plugin["lag"] or plugin["retrying"] for plugin in status["plugins"]):
                handled, handling = time.monotonic(), False
            if not handling and not any(table["waiting"] for table in status["tables"]):
                break
    ended = time.monotonic()
    status = answer(f"{program.health}/status")
    peak = peak_memory(core.pid)
    core.send_signal(signal.SIGTERM)
    code = core.wait(60)

    expected = account(catalogue.load(str(file), seed=SEED), pins=False)
    table = answer(f"{base}/sandbox/tables/{env['BITABLE_APP_TOKEN']}/{env['BITABLE_TABLE_ID']}")
    different = differences(expected, cells_by_key(table["items"]))
    events, rows = status["journal"]["received"], status["tables"][0]["rows"]
    pushes = stats["pushes"]
    print(f"events                      {events:>12,}")
    print(f"acknowledged                {events / (acknowledged - began):>12,.0f} events/s")
    print(f"handled by the plugin       {events / (handled - began):>12,.0f} events/s")
    print(f"last row in Bitable after   {ended - began:>12.1f} s ({ended - handled:.1f} s after the last event)")
    print(f"acknowledgement p50 / p99   {pushes['ack_ms']['p50']:>12.1f} / {pushes['ack_ms']['p99']:.1f} ms")
    print(f"pushed again                {pushes['repushed']:>12,}")
    print(f"peak memory of the process  {peak:>12.1f} MB")
    print(f"API calls                   {status['api']['used']:>12,} ({_names(status)})")
    print(f"rows in Bitable             {rows:>12,}")
    print(f"rows that differ            {len(different):>12,} of {len(expected):,} counted independently")
    print(f"exit code of core           {code:>12}")
    for line in different[:10]:
        print(f"  {line}")
    return 1 if different or code else 0


def _names(status: dict[str, Any]) -> str:
    return ", ".join(f"{name.split('.', 2)[-1]} {count}" for name, count in status["api"]["by_name"].items())


if __name__ == "__main__":
    sys.exit(main())
