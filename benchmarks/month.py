"""What whole months cost: a group's November played against the program with a fast clock, all plugins on.

    python benchmarks/month.py [--messages 200] [--quota 10000] [--speed 20000]

The sandbox and the program share one clock that runs ``--speed`` times as fast as the machine's; settings are the
defaults. It prints the API calls of the month by name, what the ledger foresaw on the 10th, how long after the last
message every row was right, and compares the activity table with an independent count. Exit code 1 when a row differs.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from activity_account import account, cells_by_key, differences  # noqa: E402
from aiohttp import ClientSession  # noqa: E402
from loguru import logger  # noqa: E402

from core.app import Application, Left  # noqa: E402
from core.loading.plugins import load  # noqa: E402
from core.settings import load_plugins_file, load_settings  # noqa: E402
from core.storage import open_engine  # noqa: E402
from sandbox.config import ClientConfig, SandboxConfig  # noqa: E402
from sandbox.ids import Ids  # noqa: E402
from sandbox.scenario.act import (  # noqa: E402
    Act,
    Chat,
    Mention,
    Person,
    Pin,
    React,
    Recall,
    Resource,
    Say,
    Scenario,
    Unpin,
)
from sandbox.server import Sandbox  # noqa: E402

FILE = ROOT / "plugins.toml"
ZONE = ZoneInfo("Asia/Shanghai")
FIRST = datetime(2026, 11, 1, 0, 1, tzinfo=ZONE)
DAYS = 30
PEOPLE = 40
WORDS = ("今天", "下午", "评审", "接口", "已经", "上线", "回归", "测试", "通过", "文档", "更新", "麻烦", "报表", "修复")
WEEKEND = 0.3
"""How much of a working day's talk a day of the weekend has."""


def november(a_day: int, seed: int) -> Scenario:
    """A month of one group with ``a_day`` messages a day on average; the same ``seed`` gives the same month."""
    ids = Ids(f"month {seed}")
    people = tuple(
        Person(f"ou_{ids.hex()}", f"on_{ids.hex()}", ids.hex(8), f"同事{n:02}", f"Colleague {n:02}")
        for n in range(PEOPLE)
    )
    chat = Chat(f"oc_{ids.hex()}", "项目群", tuple(person.open_id for person in people), owner=people[0].open_id)
    acts = sorted(_acts(a_day * DAYS, chat.chat_id, people, Ids(f"acts {seed}"), random.Random(seed)), key=_time)
    end = (FIRST + timedelta(days=DAYS)).timestamp() * 1000
    acts = [act for act in acts if act.at < end]
    return Scenario(f"November, {a_day} messages a day", people, (chat,), lambda: iter(acts), len(acts))


def _time(act: Act) -> int:
    return act.at


def _acts(total: int, chat: str, people: tuple[Person, ...], ids: Ids, chance: random.Random) -> Iterator[Act]:
    recent: list[Say] = []
    for at in sorted(_moments(total, chance)):
        author = chance.choice(people)
        parent = chance.choice(recent[-12:]) if recent and chance.random() < 0.35 else None
        say = _said(at, chat, author.open_id, parent, people, ids, chance)
        recent.append(say)
        yield say
        for person in chance.sample(people, k=int(chance.expovariate(4.0))):
            later = at + chance.randrange(5_000, 3_600_000)
            yield React(later, chat, say.message, person.open_id, chance.choice(("THUMBSUP", "OK", "HEART")))
        if chance.random() < 0.01:
            yield Recall(at + chance.randrange(5_000, 110_000), chat, say.message, say.sender)
        elif chance.random() < 8 / total * 4:  # Eight pins a week, whatever the size.
            pinned = at + chance.randrange(60_000, 600_000)
            yield Pin(pinned, chat, say.message, chance.choice(people).open_id)
            if chance.random() < 0.3:
                yield Unpin(pinned + 5 * 86_400_000, chat, say.message, say.sender)


def _moments(total: int, chance: random.Random) -> list[int]:
    """When something is said, ms UTC: by day, and less at weekends."""
    days = [FIRST + timedelta(days=number) for number in range(DAYS)]
    weights = [WEEKEND if day.weekday() >= 5 else 1.0 for day in days]
    moments = []
    for day in chance.choices(days, weights, k=total):
        hour = min(22.9, max(0.1, chance.gauss(14.5, 3.5)))
        moments.append(int((day + timedelta(hours=hour)).timestamp() * 1000))
    return moments


def _said(
    at: int, chat: str, author: str, parent: Say | None, people: tuple[Person, ...], ids: Ids, chance: random.Random
) -> Say:
    thread = parent is not None and (parent.thread or chance.random() < 0.3)
    root = (parent.root or parent.message) if parent else ""
    place: dict[str, Any] = (
        {"parent": root if thread else parent.message, "root": root, "thread": thread} if parent else {}
    )
    kind = chance.random()
    if kind < 0.03:
        key, size = ids.image(), chance.randrange(500, 4_000)
        resource = Resource(key, "image.png", "image", size, 1)
        return Say(at, chat, ids.message(), author, "image", {"image_key": key}, **place, resources=(resource,))
    if kind < 0.05:
        key, name = ids.file(), f"{chance.choice(WORDS)}.pdf"
        resource = Resource(key, name, "file", chance.randrange(1_000, 9_000), 1)
        content = {"file_key": key, "file_name": name}
        return Say(at, chat, ids.message(), author, "file", content, **place, resources=(resource,))
    text = "".join(chance.choices(WORDS, k=chance.randrange(2, 9)))
    mentions: tuple[Mention, ...] = ()
    if chance.random() < 0.12:
        other = chance.choice(people)
        mentions = (Mention("@_user_1", other.open_id, other.name),)
        text = f"@_user_1 {text}"
    return Say(at, chat, ids.message(), author, "text", {"text": text}, **place, mentions=mentions)


async def simulate(scenario: Scenario, environment: Mapping[str, str], speed: float, seed: int) -> int:
    """Play it and print what it cost."""
    config = SandboxConfig(
        scenario="quiet",
        speed=speed,
        seed=seed,
        client=ClientConfig(ping_interval=5),
        start="told",
        window=4096,
        records_per_table=1_000_000,
    )
    last = max(act.at for act in scenario.acts())
    began = time.monotonic()
    async with Sandbox(config, scenario=scenario) as sandbox:
        with tempfile.TemporaryDirectory() as directory:
            clock = sandbox.clock
            env = {**environment, **sandbox.environment(), "CHAT_ID": "", "DATA_DIR": directory}
            settings = load_settings(env, needs_credentials=True)
            plugins = load(load_plugins_file(FILE), env, FILE)
            application = Application(settings, plugins, clock=clock, tick=0.002)
            running = asyncio.create_task(application.run())
            sandbox.play()
            forecast = await _foreseen(application, sandbox, FIRST + timedelta(days=10))
            await sandbox.played()
            settled = await _settled(application, sandbox)
            status = application.status()
            application.stop()
            left = await running
            by_name = _calls(Path(directory), f"{FIRST:%Y-%m}")
            base, table = settings.bitable_app_token, env["BITABLE_TABLE_ID"]
            records = await _records(sandbox, base, table)
            different = differences(account(scenario, pins=True), cells_by_key(records))
            rows = {f"{one.plugin}.{one.name}": one.rows for one in status.tables}
    _tell(scenario, by_name, forecast, settled - last, rows, different, left, time.monotonic() - began)
    return 1 if different else 0


def _calls(directory: Path, month: str) -> dict[str, int]:
    """The calls of ``month`` by name, as the program counted them: by the time all is settled the next has begun."""
    with open_engine(directory) as engine:
        store = engine.store()
        try:
            return store.calls(month)
        finally:
            store.close()


async def _records(sandbox: Sandbox, base: str, table: str) -> list[dict[str, Any]]:
    async with ClientSession() as session, session.get(f"{sandbox.url}/sandbox/tables/{base}/{table}") as answer:
        return list((await answer.json())["items"])


async def _foreseen(application: Application, sandbox: Sandbox, moment: datetime) -> int:
    while sandbox.clock() < moment.timestamp() * 1000:
        await asyncio.sleep(0.01)
    return application.ledger.forecast()


async def _settled(application: Application, sandbox: Sandbox) -> int:
    """When, ms UTC, every row was in Bitable as it is. The world's clock goes on at full speed until then."""
    sandbox.clock.move(sandbox.clock(), speed=sandbox.config.speed)
    while any(one.idle_at < application.journal.head for one in application.consumers) or any(
        entry.waiting for entry in application.mirror.tables
    ):
        await asyncio.sleep(0.005)
    return sandbox.clock()


def _tell(
    scenario: Scenario,
    by_name: Mapping[str, int],
    forecast: int,
    settled: int,
    rows: Mapping[str, int],
    different: list[str],
    left: Left,
    seconds: float,
) -> None:
    used = sum(by_name.values())
    said = sum(isinstance(act, Say) for act in scenario.acts())
    print(f"{scenario.name}: {scenario.total:,} acts, {said:,} messages, played in {seconds:.0f} s")
    print(f"API calls of the month        {used:>8,}")
    for name, calls in by_name.items():
        print(f"    {name:<44}{calls:>8,}")
    print(f"foreseen on the 10th          {forecast:>8,} ({100 * (forecast - used) / max(used, 1):+.1f} %)")
    print(f"all rows right after the last act  {settled / 60_000:.0f} min")
    print(f"rows                          {', '.join(f'{name} {count:,}' for name, count in rows.items())}")
    print(f"activity rows that differ     {len(different):>8,}")
    for line in different[:5]:
        print(f"    {line}")
    print(left)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=200, help="messages a day (default: 200)")
    parser.add_argument("--quota", type=int, default=10_000, help="API_MONTHLY_QUOTA (default: 10000)")
    parser.add_argument("--speed", type=float, default=20_000.0, help="times real time (default: 20000)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    logger.remove()
    logger.add(sys.stderr, level="ERROR")
    environment = {"API_MONTHLY_QUOTA": str(options.quota), "HEALTH_CHECK_PORT": "0"}
    return asyncio.run(simulate(november(options.messages, options.seed), environment, options.speed, options.seed))


if __name__ == "__main__":
    sys.exit(main())
