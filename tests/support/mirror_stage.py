"""One mirrored table between a real store and a sandbox's Bitable, flushed when the test says so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
from api_client import NOVEMBER, SHANGHAI, Clock, Sleep
from unruly import CREATE, DELETE, UPDATE, UnrulySandbox

from core import Number, PersonCell, PersonName, Row, Table, Text, Timestamp
from core.feishu.bitable import RemoteTable
from core.feishu.ledger import Ledger
from core.feishu.transport import Api
from core.mirroring.mirror import Mirror
from core.mirroring.mirrored import MirroredTable
from core.pace import Pace
from core.people import People
from core.storage import open_engine
from core.storage.values import Commit
from sandbox.bitable.kinds import Terms
from sandbox.bitable.table import Table as RemoteSide
from sandbox.config import SandboxConfig
from sandbox.scenario.act import Person

PLUGIN = "probe"
ROWS = Table(
    "rows",
    (
        Text("user", "用户ID"),
        PersonName("name", "用户名称", of="user"),
        PersonCell("person", "人员", of="user"),
        Text("period", "统计周期"),
        Number("count", "发言次数"),
        Number("pins", "被Pin次数", optional=True),
        Number("score", "活跃度分数", places=2),
        Timestamp("updated", "更新时间"),
    ),
    key=("user", "period"),
    setting="BITABLE_TABLE_ID",
)
WRITES = (CREATE, UPDATE, DELETE)
Remote = dict[tuple[str, str], dict[str, Any]]


class Stage:
    """The parts, as the application connects them; ``restart`` begins anew from what is on disk."""

    table = ROWS

    def __init__(self, sandbox: UnrulySandbox, directory: Path) -> None:
        self.sandbox = sandbox
        self.clock = Clock()
        self.sleep = Sleep()
        self.table_id = sandbox.tables.activity
        self.people = [person.open_id for person in sandbox.world.people.everybody()]
        self._engine = open_engine(directory)
        self._api: Api | None = None

    async def open(self) -> None:
        """Begin with what is on disk."""
        app = self.sandbox.world.app
        self.store = self._engine.store()
        self.store.prepare(PLUGIN, [self.table])
        self._cursor = self.store.cursor(PLUGIN, 0)
        self.ledger = Ledger(self.store, 1_000_000, SHANGHAI, self.clock)
        self._api = Api(self.sandbox.url, app.app_id, app.secret, self.ledger, sleep=self.sleep)
        await self._api.__aenter__()
        uses = [(PLUGIN, self.table, column) for column in self.table.people]
        self.directory = People(self._api, self.store, lambda: uses, clock=self.clock)
        remote = RemoteTable(self._api, self.sandbox.tables.app_token, self.table_id)
        self.entry = MirroredTable(PLUGIN, self.table, self.table_id, remote, self.store, self.directory)
        self.mirror = Mirror([self.entry], Pace(1_000_000), self.ledger, clock=self.clock)

    async def close(self) -> None:
        """Without a last flush, as after a kill."""
        if self._api is not None:
            await self._api.__aexit__()
            self.store.close()

    async def restart(self, table_id: str = "") -> None:
        """End without a goodbye and begin anew, with another table if one is named."""
        await self.close()
        self.table_id = table_id or self.table_id
        await self.open()

    def put(self, *users: str, period: str = "2026-11", **values: Any) -> None:
        """Rows as a plugin commits them."""
        rows: dict[Any, Row | None] = {
            (user, period): {**self.table.blank, "user": user, "period": period, "updated": NOVEMBER, **values}
            for user in users
        }
        self.commit(rows)

    def drop(self, *users: str, period: str = "2026-11") -> None:
        """Rows deleted by the plugin."""
        self.commit({(user, period): None for user in users})

    def commit(self, rows: dict[Any, Row | None]) -> None:
        """Rows by key as a plugin commits them that has seen what was taken over; None deletes."""
        self.store.cursor(PLUGIN, 0)
        self.store.commit(Commit(PLUGIN, self._cursor, self._cursor + 1, now=NOVEMBER, rows={self.table: rows}))
        self._cursor += 1

    async def flush(self) -> bool:
        """Adopt if that was not done, and flush."""
        if not self.entry.adopted:
            await self.entry.adopt()
        return await self.mirror.flush(self.entry)

    @property
    def there(self) -> RemoteSide:
        """The table in the sandbox."""
        return self.sandbox.bases.find(self.sandbox.tables.app_token).table(self.table_id)

    def items(self) -> list[dict[str, Any]]:
        """Every record as the API shows it."""
        return list(self.sandbox._records(self.sandbox.tables.app_token, self.table_id)["items"])

    def remote(self) -> Remote:
        """Cells by key; fails when a key is there twice."""
        found: Remote = {}
        for item in self.items():
            cells = {name: plain(cell) for name, cell in item["fields"].items()}
            key = (cells.get("用户ID", ""), cells.get("统计周期", ""))
            assert key not in found, f"{key} is there twice"
            found[key] = {**cells, "record": item["record_id"]}
        return found

    def counts(self) -> dict[tuple[str, str], int]:
        """发言次数 by key."""
        return {key: cells.get("发言次数", 0) for key, cells in self.remote().items()}

    def calls(self, *names: str) -> int:
        """How often these operations were called; every write if none is named."""
        return sum(len(self.sandbox.seen[name]) for name in names or WRITES)

    def insert(self, *rows: dict[str, Any]) -> list[str]:
        """Records as a person or the predecessor adds them."""
        return self.there.create(list(rows), self.terms)

    def edit(self, record: str, **cells: Any) -> None:
        """A person changes cells."""
        self.there.update([(record, cells)], self.terms)

    @property
    def terms(self) -> Terms:
        """Whom the sandbox knows."""
        return Terms(self.sandbox.world.people.get)

    def invite(self, count: int) -> list[str]:
        """More people."""
        fresh = [
            Person(f"ou_{i:032x}", f"on_{i:032x}", f"u{i}", f"群友{i}", f"Member {i}") for i in range(1, count + 1)
        ]
        for person in fresh:
            self.sandbox.world.people.add(person)
        return [person.open_id for person in fresh]


def predecessor(user: str, count: float, **cells: Any) -> dict[str, Any]:
    """A row of November as the predecessor wrote it."""
    return {"用户ID": user, "统计周期": "2026-11", "发言次数": count, "活跃度分数": 1.5, **cells}


def plain(cell: Any) -> Any:
    """Text segments as text, a person cell as its open_ids."""
    if isinstance(cell, list):
        return "".join(part["text"] for part in cell) if "text" in cell[0] else [part["id"] for part in cell]
    return cell


def sent(call: Any) -> list[dict[str, Any]]:
    """The fields of each record of a create or update."""
    return [orjson.loads(orjson.dumps(record["fields"])) for record in call.body["records"]]


@asynccontextmanager
async def staged(directory: Path, **given: Any) -> AsyncIterator[Stage]:
    """A stage in a quiet sandbox."""
    async with UnrulySandbox(SandboxConfig(scenario="quiet", rate_limits=False, **given)) as sandbox:
        stage = Stage(sandbox, directory)
        await stage.open()
        try:
            yield stage
        finally:
            await stage.close()
