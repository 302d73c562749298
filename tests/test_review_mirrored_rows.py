"""Tables whose shape the bundled plugins do not have: people without names, keys that are numbers, titles shared."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from api_client import SHANGHAI, Clock
from mirror_stage import Stage, staged

from core import Number, PersonCell, Table, Text, Timestamp
from core.feishu.ledger import Ledger
from core.feishu.transport import Api
from core.mirroring.provisioning import Provisioning, Wanted
from core.mirroring.verify import compare, repair
from core.storage import open_engine

NAMELESS = Table(
    "rows",
    (
        Text("user", "用户ID"),
        PersonCell("person", "人员", of="user"),
        Text("period", "统计周期"),
        Timestamp("updated", "更新时间"),
    ),
    key=("user", "period"),
    setting="BITABLE_TABLE_ID",
)
NUMBERED = Table(
    "numbered",
    (Number("count", "发言次数"), Text("user", "用户ID"), Text("period", "统计周期")),
    key=("count",),
    setting="BITABLE_TABLE_ID",
)


async def shaped(stage: Stage, table: Table) -> None:
    """The stage with another declaration of its table."""
    stage.table = table
    await stage.restart()


async def test_one_stranger_takes_nobody_elses_person_cell(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        await shaped(stage, NAMELESS)
        stage.put(*stage.people, "ou_stranger")
        assert await stage.flush()
        people = {who: cells.get("人员") for (who, _), cells in stage.remote().items()}
        assert people == {**{one: [one] for one in stage.people}, "ou_stranger": None}


async def test_a_record_without_the_number_that_is_its_key_is_a_persons(tmp_path: Path) -> None:
    async with staged(tmp_path) as stage:
        await shaped(stage, NUMBERED)
        stage.insert({"统计周期": "a note"}, {"统计周期": "another note"})
        stage.commit({(0,): {"count": 0, "user": "zero", "period": "2026-11"}})
        assert await stage.flush()
        found = await compare(stage.entry, stage.store)
        assert (found.foreign, found.records, found.total) == (2, 1, 0)
        await repair(stage.entry, stage.store, found)
        assert len(stage.items()) == 3
        assert [row["count"] for row in stage.store.scan("probe", NUMBERED)] == [0]


async def test_tables_of_one_title_get_names_of_their_own(tmp_path: Path) -> None:
    def wanted(plugin: str, name: str) -> Wanted:
        columns = (Text("id", "编号"),)
        return Wanted(plugin, Table(name, columns, key=("id",), setting=f"{name}_ID".upper(), title="统计"), "")

    def unused(*_: Any) -> None:
        raise AssertionError("a plan changes nothing")

    engine, clock = open_engine(tmp_path), Clock()
    store = engine.store()
    api = Api("http://127.0.0.1:9", "cli_1", "secret", Ledger(store, 1, SHANGHAI, clock))
    work = Provisioning(api, store, keep_base=unused, keep_table=unused, say=unused)
    steps = await work.plan(None, [wanted("one", "a"), wanted("two", "b"), wanted("two", "c")], [], adopt=False)
    assert [step.name for step in steps] == ["统计", "统计 (two)", "统计 (two.c)"]
    store.close()
