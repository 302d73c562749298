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
import gzip
import itertools
import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
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

from core.storage import open_engine  # noqa: E402
from plugins.archive.tables import SUMMARY_AGENDA  # noqa: E402
from sandbox.config import SandboxConfig  # noqa: E402
from sandbox.scenario import catalogue  # noqa: E402
from sandbox.scenario.act import Recall, Say, Scenario  # noqa: E402
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
        file = options.file if not options.messages else _head(options.file, options.messages, work / "head.jsonl")
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
    port = _free_port()
    (work / "plugins.toml").write_text(PLUGINS)
    core = subprocess.Popen(
        [sys.executable, "-m", "core", "run", "--plain"],
        cwd=work,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={
            **{name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")},
            **env,
            "CHAT_ID": "",
            "PYTHONPATH": str(ROOT),
            "API_MONTHLY_QUOTA": "1000000",
            "HEALTH_CHECK_PORT": str(port),
        },
    )
    try:
        course = _watch(core, env["FEISHU_BASE_URL"], f"http://127.0.0.1:{port}", work / "data")
        if course is None:
            return 1
        core.send_signal(signal.SIGTERM)
        return _compare(file, env, course, core.wait(60))
    finally:
        core.kill()
        core.wait()
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


def _watch(core: subprocess.Popen[Any], base: str, health: str, data: Path) -> Course | None:
    """Wait until every row is in Bitable; None when the program ended by itself, or nothing comes to an end."""
    began = time.monotonic()
    until = began + PATIENCE
    acknowledged = handled = summarized = 0.0
    while time.monotonic() < until:
        time.sleep(0.5)
        if core.poll() is not None:
            print(f"core ended by itself with exit code {core.returncode}")
            return None
        stats = _get(f"{base}/sandbox/stats")
        if not stats["scenario"]["played"]:
            began = time.monotonic()
        pushes = stats["pushes"]
        if not stats["scenario"]["done"] or pushes["waiting"] or pushes["in_flight"]:
            continue
        now = time.monotonic() - began
        acknowledged = acknowledged or now
        status = _get(f"{health}/status")
        if any(plugin["lag"] or plugin["retrying"] for plugin in status["plugins"]):
            continue
        handled = handled or now
        if _to_summarize(data):
            continue
        summarized = summarized or now
        if not any(table["waiting"] for table in status["tables"]):
            peak = _peak_memory(core.pid)
            return Course(acknowledged, handled, summarized, now, peak, stats, _get(f"{health}/status"))
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
    events = list(_events(scenario))
    archive = archive_account.archive(events)
    topics = archive_account.topics(events, int(time.time() * 1000))
    summaries = summary_account.rules(archive, names)
    for topic_id, row in topics.items():
        row |= summaries[topic_id]

    def records(setting: str) -> list[dict[str, Any]]:
        url = f"{env['FEISHU_BASE_URL']}/sandbox/tables/{env['BITABLE_APP_TOKEN']}/{env[setting]}"
        return list(_get(url)["items"])

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


def _events(scenario: Scenario) -> Iterator[dict[str, Any]]:
    """What was said and taken back, in the form of the events."""
    roots: dict[str, str] = {}
    for act in scenario.acts():
        match act:
            case Say():
                root = act.root or (roots.get(act.parent, act.parent) if act.parent else "")
                roots[act.message] = root or act.message
                message = {
                    "message_id": act.message,
                    "chat_id": act.chat,
                    "chat_type": "group",
                    "create_time": str(act.at),
                    "update_time": str(act.at),
                    "message_type": act.type,
                    "content": json.dumps(act.content),
                    "parent_id": act.parent,
                    "root_id": root,
                    "mentions": [{"key": one.key, "name": one.name} for one in act.mentions],
                }
                sender = {"sender_id": {"open_id": act.sender}, "sender_type": "user"}
                yield _event("im.message.receive_v1", message=message, sender=sender)
            case Recall():
                yield _event("im.message.recalled_v1", message_id=act.message)


def _event(kind: str, **event: Any) -> dict[str, Any]:
    return {"header": {"event_type": kind}, "event": event}


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


def _head(file: Path, count: int, to: Path) -> Path:
    read = gzip.open if file.suffix == ".gz" else open
    with read(file, "rt", encoding="utf-8") as source, to.open("w", encoding="utf-8") as target:
        target.writelines(itertools.islice(source, count))
    return to


def _peak_memory(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _get(url: str) -> dict[str, Any]:
    for attempt in range(50):
        try:
            with urllib.request.urlopen(url, timeout=600) as answer:
                return dict(json.load(answer))
        except urllib.error.HTTPError:
            raise
        except OSError:
            if attempt == 49:
                raise
            time.sleep(0.2)
    raise AssertionError


if __name__ == "__main__":
    sys.exit(main())
