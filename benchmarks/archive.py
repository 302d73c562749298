"""A real group chat archived with topics, end to end: file → sandbox → WebSocket → core → Bitable, then recounted.

    python benchmarks/archive.py [FILE.jsonl.gz] [--messages N] [--scores]

Plays the file (196,146 messages, with seeded reactions, removals and recalls) as fast as it is acknowledged into
``python -m core run`` with the plugins activity and archive on, summaries too; both sides are processes of their own.
Every cell of every row of the three Bitable tables is then compared with independent accounts of the same acts; of a
summary, that it quotes messages of its topic. Exit code 1 when one differs. ``--scores`` adds how well the archive
finds conversations where nobody replies (benchmarks/grouping.py).
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import multiprocessing
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks"), str(ROOT / "tests" / "support")]

import activity_account  # noqa: E402
import archive_account  # noqa: E402
import bitable_cells  # noqa: E402
import summary_account  # noqa: E402
from act_events import events_of  # noqa: E402
from measured import Measured, answer, head, measured_program, peak_memory  # noqa: E402

from core.storage import open_engine  # noqa: E402
from plugins.archive.tables import SUMMARY_AGENDA  # noqa: E402
from sandbox.config import SandboxConfig  # noqa: E402
from sandbox.scenario import catalogue  # noqa: E402
from sandbox.server import Sandbox  # noqa: E402

SEED = 1
WINDOW = 256
"""Pushes in flight at the most, as in real_chat.py."""
DEFAULT = ROOT.parent / "shared" / "data" / "group-chat.jsonl.gz"
RECORDS = 1_000_000
"""Records a table may hold: on the platform that depends on the tenant's plan (FEISHU.md §5.3)."""
OPTIONAL = ({"field_name": "消息状态", "type": 3}, {"field_name": "编辑时间", "type": 5})
"""Columns of the archive that the predecessor's table does not have."""
PLUGINS = """
[plugins.activity]
enabled = true
[plugins.archive]
enabled = true
[plugins.health]
enabled = true
"""
PATIENCE = 3600.0
"""Seconds after which something must have gone wrong."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path, default=DEFAULT)
    parser.add_argument("--messages", type=int, default=0, help="only the first N messages (default: all)")
    parser.add_argument("--scores", action="store_true", help="also the scores of conversation disentanglement")
    options = parser.parse_args()
    if not options.file.exists():
        print(f"skipped: {options.file} is not there")
        return 0
    with tempfile.TemporaryDirectory() as directory:
        work = Path(directory)
        file = options.file if not options.messages else head(options.file, options.messages, work / "head.jsonl")
        code = _run(file, work)
    if options.scores:
        from grouping import RULE, read, report

        logs = read(options.file, options.messages or None)
        if logs:
            print()
            report(logs[0::2], logs[1::2] or logs, RULE)
        else:
            print("no annotated messages among so few: no scores")
    return code


def _run(file: Path, work: Path) -> int:
    ours, theirs = multiprocessing.Pipe()
    spawn = multiprocessing.get_context("spawn")
    sandbox = spawn.Process(target=_serve, args=(theirs, str(file)), daemon=True)
    sandbox.start()
    env: dict[str, str] = ours.recv()
    try:
        with measured_program(work, PLUGINS, env) as program:
            course = _watch(program, env["FEISHU_BASE_URL"], work / "data")
            if course is None:
                return 1
            program.process.send_signal(signal.SIGTERM)
            return _compare(file, env, course, program.process.wait(60))
    finally:
        ours.send("stop")
        sandbox.join(30)


def _serve(pipe: Connection, file: str) -> None:
    """The sandbox's process, until something comes through the pipe."""
    asyncio.run(_stage(pipe, file))


async def _stage(pipe: Connection, file: str) -> None:
    config = SandboxConfig(scenario=file, seed=SEED, window=WINDOW, records_per_table=RECORDS)
    async with Sandbox(config) as sandbox:
        gc.freeze()
        gc.set_threshold(50_000, 20, 1000)
        archive = sandbox.bases.find(sandbox.tables.app_token).table(sandbox.tables.archive)
        for column in OPTIONAL:
            archive.add_field(column)
        pipe.send(sandbox.environment())
        await asyncio.to_thread(pipe.recv)


@dataclass(frozen=True, slots=True)
class Course:
    """What was seen from outside; times in s since the first event."""

    acknowledged: float
    handled: float
    summarized: float
    written: float
    peak: float
    """MB."""
    stats: dict[str, Any]
    status: dict[str, Any]


def _watch(program: Measured, base: str, data: Path) -> Course | None:
    """Wait until every row is in Bitable; None when the program ended by itself, or nothing comes to an end."""
    core = program.process
    began = time.monotonic()
    until = began + PATIENCE
    acknowledged = handled = summarized = 0.0
    while time.monotonic() < until:
        time.sleep(0.5)
        if core.poll() is not None:
            print(f"core ended by itself with exit code {core.returncode}")
            return None
        stats = answer(f"{base}/sandbox/stats")
        if not stats["scenario"]["played"]:
            began = time.monotonic()
        pushes = stats["pushes"]
        if not stats["scenario"]["done"] or pushes["waiting"] or pushes["in_flight"]:
            continue
        now = time.monotonic() - began
        acknowledged = acknowledged or now
        status = answer(f"{program.health}/status")
        if any(plugin["lag"] or plugin["retrying"] for plugin in status["plugins"]):
            continue
        handled = handled or now
        if _to_summarize(data):
            continue
        summarized = summarized or now
        if not any(table["waiting"] for table in status["tables"]):
            peak = peak_memory(core.pid)
            return Course(acknowledged, handled, summarized, now, peak, stats, answer(f"{program.health}/status"))
    print(f"not finished after {PATIENCE:.0f} s")
    return None


def _to_summarize(data: Path) -> int:
    with open_engine(data) as engine:
        store = engine.store(durable=False)
        try:
            return store.count_pending("archive", SUMMARY_AGENDA)[1]
        finally:
            store.close()


def _compare(file: Path, env: dict[str, str], course: Course, code: int) -> int:
    scenario = catalogue.load(str(file), seed=SEED)
    names = {person.open_id: person.name for person in scenario.people}
    events = list(events_of(scenario.acts()))
    archive = archive_account.archive(events)
    topics = archive_account.topics(events, int(time.time() * 1000))
    summaries = summary_account.rules(archive, names)
    for topic_id, row in topics.items():
        row |= summaries[topic_id]

    def records(setting: str) -> list[dict[str, Any]]:
        url = f"{env['FEISHU_BASE_URL']}/sandbox/tables/{env['BITABLE_APP_TOKEN']}/{env[setting]}"
        return list(answer(url)["items"])

    counted = activity_account.account(scenario, pins=False)
    activity = activity_account.differences(counted, activity_account.cells_by_key(records("BITABLE_TABLE_ID")))
    kept = records("ARCHIVE_TABLE_ID")
    archived = bitable_cells.differences(archive_account.named(archive, names), kept, "消息ID")
    told = bitable_cells.differences(
        archive_account.named(topics, names, of="发起人"), records("SUMMARY_TABLE_ID"), "话题ID"
    )
    _tell(course, len(archive))
    print(f"archive rows that differ    {len(archived):>12,} of {len(archive):,} counted independently")
    print(f"topics that differ          {len(told):>12,} of {len(topics):,}")
    print(f"activity rows that differ   {len(activity):>12,} of {len(counted):,}")
    print(f"exit code of core           {code:>12}")
    different = [*archived, *told, *activity]
    for line in different[:10]:
        print(f"  {line[:500]}")
    return 1 if different or code else 0


def _tell(course: Course, messages: int) -> None:
    status, pushes = course.status, course.stats["pushes"]
    calls = ", ".join(f"{name.split('.', 2)[-1]} {count:,}" for name, count in status["api"]["by_name"].items())
    rows = ", ".join(f"{table['name']} {table['rows']:,}" for table in status["tables"])
    print(f"events                      {status['journal']['received']:>12,}")
    print(f"messages                    {messages:>12,}")
    print(f"acknowledged                {messages / course.acknowledged:>12,.0f} messages/s")
    print(f"archived, with topics       {messages / course.handled:>12,.0f} messages/s ({course.handled:.1f} s)")
    print(
        f"last summary after          {course.summarized:>12.1f} s (a topic of the past is left alone for 15 s first)"
    )
    print(f"last row in Bitable after   {course.written:>12.1f} s")
    print(f"acknowledgement p50 / p99   {pushes['ack_ms']['p50']:>12.1f} / {pushes['ack_ms']['p99']:.1f} ms")
    print(f"pushed again                {pushes['repushed']:>12,}")
    print(f"peak memory of the process  {course.peak:>12.1f} MB")
    print(f"API calls                   {status['api']['used']:>12,} ({calls})")
    print(f"rows                        {rows:>12}")


if __name__ == "__main__":
    sys.exit(main())
