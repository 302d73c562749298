"""The bundled scenario with all four plugins on: every cell of the four Bitable tables equals an independent account.

The test plays the scenario in pieces and owns the program's clock, which stands still meanwhile: pins are looked for
just before each piece and at the moment that ends it, so that what a look can know is exact too.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import archive_account
import orjson
import pin_account
import pytest
import reference_fold
import summary_account
from bitable_cells import differences, rows_of
from message_account import told

from core.app import Application
from core.loading.plugins import load
from core.settings import PluginSettings, load_settings
from core.storage import open_engine
from sandbox.config import SandboxConfig
from sandbox.permissions import EVENTS
from sandbox.scenario import bundled
from sandbox.scenario.act import Edit, Recall, Say, Scenario
from sandbox.server import Sandbox

pytestmark = pytest.mark.unmeasured  # Tracing each line of this would take minutes, and shows no line others do not.

SECONDS = 90.0
ENABLED = {name: PluginSettings(enabled=True) for name in ("activity", "archive", "pin", "health")}
STEP = 10_000
"""ms from before a piece is played to its end, and that pass at a time until the last rows are written."""
EDITS = "im.message.updated_v1"
KEYS = {"archive": "消息ID", "summary": "话题ID", "pin": "Pin消息ID"}
ACTIVITY = ("用户ID", "统计周期")
OPTIONAL = ({"field_name": "消息状态", "type": 3}, {"field_name": "编辑时间", "type": 5})


def looks() -> Iterator[int]:
    """Every fourth day, and between a pin and its removal, its return, or the recall of its message."""
    begin = datetime(2026, 8, 31, 16, tzinfo=UTC)
    moments = [begin + timedelta(days=days) for days in range(0, 68, 4)]
    moments += [
        datetime(2026, 9, 16, 8, 41, tzinfo=UTC),
        datetime(2026, 9, 21, 3, 11, 30, tzinfo=UTC),
        datetime(2026, 9, 21, 3, 12, 30, tzinfo=UTC),
    ]
    yield from sorted(int(moment.timestamp()) * 1000 for moment in moments)


LOOKS = tuple(looks())


class Stage:
    """The sandbox and the program, and what people did between them."""

    def __init__(self, sandbox: Sandbox, scenario: Scenario, directory: Path) -> None:
        self.sandbox = sandbox
        self.acts = list(scenario.acts())
        self.names = {person.open_id: person.name for person in scenario.people}
        self.events: list[dict[str, Any]] = []
        self.now = LOOKS[0] - STEP
        self._listen()
        base = sandbox.bases.find(sandbox.tables.app_token)
        for column in OPTIONAL:
            base.table(sandbox.tables.archive).add_field(column)
        env = {
            **sandbox.environment(),
            "RETRY_DELAY": "0.02",
            "API_MONTHLY_QUOTA": "1000000",
            "PIN_MONITOR_INTERVAL": "10",
            "HEALTH_CHECK_PORT": "0",
            "CHAT_ID": "",
            "DATA_DIR": str(directory),
        }
        plugins = load(ENABLED, env, Path("plugins.toml"))
        settings = load_settings(env, needs_credentials=True)
        self.application = Application(settings, plugins, clock=lambda: self.now, tick=0.02)
        self.running = asyncio.create_task(self.application.run())
        self.store = open_engine(directory).store()

    async def play(self) -> None:
        """The whole scenario, with a look at the pins whenever one is due, until everything is written."""
        left = iter(self.acts)
        act = next(left, None)
        for look in LOOKS:
            await self._becomes(look - STEP)
            while act is not None and act.at <= look:
                self.sandbox.clock.move(act.at, speed=0)
                self.sandbox.world.play(act)
                act = next(left, None)
            await self._until(lambda: self._settled)
            await self._becomes(look)
        assert act is None
        while not (self._settled and self.application.idle):
            await self._becomes(self.now + STEP)
            await asyncio.sleep(0.05)  # A tick or two: what writes to Bitable looks by itself whether it is time.

    async def _becomes(self, now: int) -> None:
        """Time passes, and everything that was due by then is done; a look at the pins among it."""
        self.now = now
        for consumer in self.application.consumers:
            consumer.wake()
        await self._until(lambda: self._settled)

    def records(self, table: str) -> list[dict[str, Any]]:
        """What is in one of the four tables."""
        tables = self.sandbox.tables
        return list(self.sandbox._records(tables.app_token, getattr(tables, table))["items"])

    async def _until(self, true: Any) -> None:
        deadline = time.monotonic() + SECONDS
        while not true():
            assert not self.running.done(), self.running.exception()
            assert time.monotonic() < deadline, "waited too long"
            await asyncio.sleep(0.01)

    @property
    def _settled(self) -> bool:
        """Whether all is done that the clock allows, but for writing to Bitable."""
        application, store = self.application, self.store
        plugins = [consumer.plugin.name for consumer in application.consumers]
        return (
            self.sandbox.gateway.delivery._empty.is_set()
            and application.journal.head >= len(self.events)
            and all(consumer.idle_at >= application.journal.head for consumer in application.consumers)
            and all((store.next_due(name) or self.now + 1) > self.now for name in plugins)
            and not store.publications(1)
            and not store.unsent(self.now, 1)
            and not application.attachments.busy
        )

    def _listen(self) -> None:
        push = self.sandbox.gateway.delivery.push

        def listen(event: bytes) -> None:
            self.events.append(orjson.loads(event))
            push(event)

        self.sandbox.world._listener = listen


class Expected:
    """The four tables as they have to be."""

    def __init__(self, stage: Stage) -> None:
        self.names, acts = stage.names, stage.acts
        says = {act.message: act for act in acts if isinstance(act, Say)}
        edits = [act for act in acts if isinstance(act, Edit)]
        self.pins = pin_account.account(acts, LOOKS, self.names)
        events = [event for event in stage.events if event["header"]["event_type"] != EDITS]
        self.counters = reference_fold.fold([*events, *self.pins.published])
        events += [_edited(edit, events) for edit in edits]
        archive = archive_account.archive(events)
        contents = {edit.message: edit.content for edit in edits}  # The last one of each message counts.
        shown = {one: told(says[one], self.names, contents.get(one)) for one in archive}
        recalled = {act.message for act in acts if isinstance(act, Recall)}
        for message_id, row in archive.items():
            if message_id not in recalled:
                row["消息内容"] = shown[message_id].content
                row["附件信息"] = list(shown[message_id].files)
            elif message_id in contents:  # Whether the edit was read before the recall, nobody can say.
                row["编辑时间"] = _either(None, row["编辑时间"])
        topics = archive_account.topics(events, stage.now)
        texts = {one: row | {"消息内容": "" if one in recalled else shown[one].text} for one, row in archive.items()}
        summaries = summary_account.rules(texts, self.names)
        for topic_id, row in topics.items():
            row |= summaries[topic_id]
            if topic_id in archive and topic_id not in recalled:
                row["话题标题"] = shown[topic_id].title
        self.archive = archive_account.named(archive, self.names)
        self.topics = archive_account.named(topics, self.names, of="发起人")
        self.clock = range(LOOKS[0] - STEP, stage.now + 1)

    def differences(self, stage: Stage) -> dict[str, list[str]]:
        """By table."""
        return {
            "activity": differences(self._activity(stage.records("activity")), stage.records("activity"), *ACTIVITY),
            "archive": differences(self.archive, stage.records("archive"), "消息ID"),
            "summary": differences(self.topics, stage.records("summary"), "话题ID"),
            "pin": differences(self.pins.rows, stage.records("pin"), "Pin消息ID"),
        }

    def _activity(self, records: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
        """Rows in which everything was taken back stay, with zeros."""
        counters = {f"{user} {month}": row for (user, month), row in self.counters.items()}
        every = counters.keys() | rows_of(records, *ACTIVITY)[0].keys()
        zeros = dict.fromkeys(reference_fold.WEIGHTS, 0)
        rows = {}
        for key in every:
            user, counted = key.split()[0], counters.get(key, zeros)
            rows[key] = {
                **counted,
                "用户名称": self.names[user],
                "人员": user,
                "活跃度分数": reference_fold.score(counted),
                "更新时间": lambda cell: cell in self.clock,
            }
        return rows


def _edited(edit: Edit, events: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The edit as an event that tells all; the platform's own tells only which message it was."""
    message = next(
        event["event"]["message"]
        for event in events
        if event["event"].get("message", {}).get("message_id") == edit.message
    )
    content = orjson.dumps(edit.content).decode()
    return {
        "header": {"event_type": EDITS},
        "event": {"message": message | {"content": content, "update_time": str(edit.at)}},
    }


def _either(*values: Any) -> Any:
    return lambda cell: (cell or None) in values


@pytest.fixture
async def stage(tmp_path: Path) -> Any:
    scenario = bundled.load(seed=1)
    config = SandboxConfig(rate_limits=False, start="told", events=EVENTS | {EDITS})
    async with Sandbox(config, scenario=scenario) as sandbox:
        stage = Stage(sandbox, scenario, tmp_path)
        try:
            await stage.play()
            yield stage
        finally:
            stage.application.stop()
            await asyncio.wait([stage.running])
            stage.store.close()


async def test_every_cell_of_the_four_tables_equals_an_independent_account(stage: Stage) -> None:
    expected = Expected(stage)
    assert expected.differences(stage) == {"activity": [], "archive": [], "summary": [], "pin": []}

    assert (len(expected.archive), len(expected.pins.rows)) > (3000, 20)
    assert len(expected.topics) > 100
    assert len(stage.records("activity")) > 40
    assert {row["消息状态"] for row in expected.archive.values()} == {"", "已编辑", "已撤回"}
    assert sum(len(row["附件信息"]) for row in expected.archive.values() if "附件信息" in row) > 100
    refusals = ("文件超过 100 MB", "消息中没有该文件", "表情包", "文件夹", "卡片中的图片", "合并转发中的附件")
    assert all(any(why in (row["消息内容"] or "") for row in expected.archive.values()) for why in refusals)
    assert "压测报告（含原始数据）.zip" in str(expected.archive)

    world = stage.sandbox.world
    cards = Counter(one.chat.chat_id for one in world.messages.values() if one.by_app and one.type == "interactive")
    assert cards == expected.pins.cards
    assert set(stage.sandbox.calls.document()["by_code"]) <= {"0", "234003", "234037"}  # Gone, and too large.

    # It would notice: every cell of a row is not what it should be, another row is missing, one is too many.
    for table, rows in (("archive", expected.archive), ("summary", expected.topics), ("pin", expected.pins.rows)):
        (key, row), (gone, _) = list(rows.items())[:2]
        changed = row | dict.fromkeys(row, "anything else")
        wrong = {name: one for name, one in rows.items() if name != gone} | {key: changed, "om_none": row}
        lines = differences(wrong, stage.records(table), KEYS[table])
        noticed = [f"{key}: {title} is" in line for title in row for line in lines]
        assert len(lines) == noticed.count(True) + 2 == len(row) + 2
        assert {f"{gone}: too many", "om_none: missing"} <= set(lines)
