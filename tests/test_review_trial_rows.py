"""``core --sandbox`` means the data of a trial: commands that call the platform would call the real one with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tables_desk import Desk, desk_at

from core.storage import open_engine
from core.storage.values import Commit
from plugins.activity.tables import ACTIVITY


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    async with desk_at(tmp_path, monkeypatch) as found:
        yield found


async def test_rows_of_a_trial_never_reach_the_real_tables(desk: Desk) -> None:
    made = await desk.give("tables", "create")
    assert made.exit_code == 0, made.output
    trial = desk.directory / "data" / "sandbox"
    trial.mkdir(parents=True, exist_ok=True)
    store = open_engine(trial).store()
    store.prepare("activity", [ACTIVITY])
    key = tuple("of a trial" for _ in ACTIVITY.key)
    row = {**ACTIVITY.blank, **dict(zip(ACTIVITY.key, key, strict=True))}
    store.commit(Commit("activity", store.cursor("activity", 0), 1, now=1, rows={ACTIVITY: {key: row}}))
    store.close()
    result = await desk.give("--sandbox", "tables", "verify", "activity", "--repair")
    assert desk.table("活跃度").records == {}
    assert result.exit_code == 2
    assert "omit --sandbox" in result.output
    for command in (("create",), ("check",), ("verify",)):
        assert (await desk.give("--sandbox", "tables", *command)).exit_code == 2
