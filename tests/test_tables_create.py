"""``python -m core tables create`` as operators use it: base, tables, IDs, interruptions, tables of others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tables_desk import CREATE_BASE, CREATE_TABLE, ENV, PLUGINS, Desk, desk_at
from unruly import answer_lost, refused

from core.feishu import cells
from plugins.activity.tables import ACTIVITY
from plugins.archive.tables import ARCHIVE, TOPICS

NAMES = {"活跃度", "消息归档", "话题汇总"}
IDS = {"BITABLE_APP_TOKEN", "BITABLE_TABLE_ID", "ARCHIVE_TABLE_ID", "SUMMARY_TABLE_ID"}


@pytest.fixture
async def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    async with desk_at(tmp_path, monkeypatch) as found:
        yield found


def names(desk: Desk) -> list[str]:
    return sorted(table.name for table in desk.base.tables.values())


async def test_it_makes_the_base_and_every_table_and_writes_their_ids(desk: Desk) -> None:
    desk.env.chmod(0o640)
    made = await desk.give("tables", "create")
    assert made.exit_code == 0, made.output
    [base] = desk.bases
    assert names(desk) == sorted(NAMES)  # The table that every new base begins with is gone.
    assert base.time_zone == "Asia/Shanghai"
    values = desk.values
    assert values["BITABLE_TABLE_ID"] == desk.table("活跃度").table_id
    assert values["ARCHIVE_TABLE_ID"] == desk.table("消息归档").table_id
    assert values["SUMMARY_TABLE_ID"] == desk.table("话题汇总").table_id
    assert f"https://example.feishu.cn/base/{base.app_token}" in made.output
    assert desk.env.stat().st_mode & 0o777 == 0o640
    kept = [line for line in desk.env.read_text("utf-8").splitlines() if not any(name in line for name in IDS)]
    given = ENV.format(secret=values["APP_SECRET"], app_id=values["APP_ID"], url=desk.sandbox.url).splitlines()
    assert kept[: len(given) - 3] == [line for line in given if not any(name in line for name in IDS)]
    assert desk.env.read_text("utf-8").splitlines()[7].endswith("   # activity")


async def test_every_column_is_what_the_declaration_prefers(desk: Desk) -> None:
    assert (await desk.give("tables", "create")).exit_code == 0
    for table in (ACTIVITY, ARCHIVE, TOPICS):
        there = desk.table(table.title)
        assert [field.name for field in there.fields] == [column.title for column in table.mirrored]
        assert [field.type for field in there.fields] == [cells.accepted(column)[0] for column in table.mirrored]
        assert [view.name for view in there.views] == ["全部"]
    fields = desk.table("活跃度").by_name
    assert fields["活跃度分数"].property == {"formatter": "0.00"}
    assert fields["发言次数"].property == {"formatter": "0"}
    assert fields["人员"].property == {"multiple": False}
    assert fields["更新时间"].property == {"auto_fill": False, "date_formatter": "yyyy-MM-dd HH:mm"}
    assert list(desk.table("话题汇总").by_name["话题状态"].options or ()) == ["活跃", "沉默", "冷却"]


async def test_run_again_it_makes_nothing_and_checks_pass(desk: Desk) -> None:
    assert (await desk.give("tables", "create")).exit_code == 0
    before, env = names(desk), desk.env.read_text("utf-8")
    again = await desk.give("tables", "create")
    assert again.exit_code == 0, again.output
    assert again.output.count("is there") == 3
    assert (len(desk.bases), names(desk), desk.env.read_text("utf-8")) == (1, before, env)
    assert (await desk.give("tables", "check")).exit_code == 0
    assert (await desk.give("tables", "verify")).exit_code == 0


async def test_a_dry_run_makes_and_writes_nothing(desk: Desk) -> None:
    env = desk.env.read_text("utf-8")
    told = await desk.give("tables", "create", "--dry-run", "--base", "Counts")
    assert told.exit_code == 0, told.output
    assert "Base Counts would be made." in told.output
    assert "archive.topics: 话题汇总 would be made" in told.output
    assert (desk.bases, desk.env.read_text("utf-8")) == ([], env)


async def test_name_folder_and_people_of_a_new_base_can_be_given(desk: Desk) -> None:
    options = ("--base", "Counts", "--folder", "fldcn1", "--share", "ann@example.com", "--share", "oc_1")
    made = await desk.give("tables", "create", "--plugin", "activity", *options)
    assert made.exit_code == 0, made.output
    assert (desk.base.name, desk.base.folder_token) == ("Counts", "fldcn1")
    assert desk.base.members == {"ann@example.com": "full_access", "oc_1": "view"}
    assert names(desk) == ["活跃度"]
    assert "ARCHIVE_TABLE_ID" not in desk.values
    again = await desk.give("tables", "create", "--base", "Others")
    assert again.exit_code == 2
    assert "BITABLE_APP_TOKEN names one already" in again.output


async def test_a_base_that_is_there_is_used_and_its_tables_stay(desk: Desk) -> None:
    base = desk.sandbox.bases.create("Ours")
    mine = base.create_table("Mine")
    desk.insert(mine, {"文本": "something"})
    desk.env.write_text(desk.env.read_text("utf-8").replace("APP_TOKEN=", f"APP_TOKEN={base.app_token}"), "utf-8")
    made = await desk.give("tables", "create")
    assert made.exit_code == 0, made.output
    assert names(desk) == sorted({"Mine", *NAMES})
    assert len(mine.records) == 1


async def test_ids_go_into_plugins_toml_where_the_operator_keeps_them(desk: Desk) -> None:
    mine = '[plugins.archive]\nenabled = true\n# Where it is kept.\ntables.archive = ""  # messages\n'
    desk.plugins.write_text(PLUGINS.replace("[plugins.archive]\nenabled = true\n", mine), "utf-8")
    made = await desk.give("tables", "create")
    assert made.exit_code == 0, made.output
    archive, topics = desk.table("消息归档").table_id, desk.table("话题汇总").table_id
    said = desk.plugins.read_text("utf-8")
    assert f'# Where it is kept.\ntables.archive = "{archive}"  # messages\n' in said
    assert f'"{topics}"' in said
    assert said.startswith("# What runs.\n[plugins.activity]\nenabled = true  # always\n")
    assert IDS & desk.values.keys() == {"BITABLE_APP_TOKEN", "BITABLE_TABLE_ID"}
    assert (await desk.give("tables", "create")).output.count("is there") == 3


@pytest.mark.parametrize("operation", [CREATE_BASE, CREATE_TABLE])
async def test_killed_while_something_is_made_it_goes_on(desk: Desk, operation: str) -> None:
    """The platform has done it, and nobody knows yet."""
    done = asyncio.Event()

    async def done_and_silent(call: Any, answer: Any) -> Any:
        await answer(call)
        done.set()
        await asyncio.sleep(3600)

    desk.sandbox.troubles[operation].append(done_and_silent)
    killed = await desk.start("tables", "create")
    await asyncio.wait_for(done.wait(), 30)
    killed.kill()
    await killed.wait()
    made = await desk.give("tables", "create")
    assert made.exit_code == 0, made.output
    assert names(desk) == sorted(NAMES)
    # Which base a lost answer named cannot be found out: that one stays, empty.
    assert len(desk.bases) == (2 if operation == CREATE_BASE else 1)
    assert ("活跃度 was found" in made.output) == (operation == CREATE_TABLE)


async def test_refused_after_two_tables_it_goes_on_with_the_third(desk: Desk) -> None:
    async def passed(call: Any, answer: Any) -> Any:
        return await answer(call)

    desk.sandbox.troubles[CREATE_TABLE] += [passed, passed, refused(1254304, 403)]
    broken = await desk.give("tables", "create")
    assert broken.exit_code == 1
    assert "1254304" in broken.output
    ids = {name: desk.values[name] for name in IDS - {"SUMMARY_TABLE_ID"}}
    made = await desk.give("tables", "create")
    assert made.exit_code == 0, made.output
    assert made.output.count("is there") == 2
    assert {name: desk.values[name] for name in ids} == ids
    assert (len(desk.bases), names(desk)) == (1, sorted(NAMES))


async def test_a_table_whose_answer_was_lost_is_found_again(desk: Desk) -> None:
    desk.sandbox.troubles[CREATE_TABLE].append(answer_lost)
    made = await desk.give("tables", "create", "--plugin", "activity")
    assert made.exit_code == 0, made.output
    assert names(desk) == ["活跃度"]
    assert desk.values["BITABLE_TABLE_ID"] == desk.table("活跃度").table_id


async def test_a_base_whose_answer_was_lost_is_not_asked_for_again_by_itself(desk: Desk) -> None:
    desk.sandbox.troubles[CREATE_BASE].append(answer_lost)
    made = await desk.give("tables", "create")
    assert made.exit_code == 1
    assert len(desk.sandbox.seen[CREATE_BASE]) == 1


async def test_when_env_cannot_be_written_it_says_the_line_and_goes_on_later(desk: Desk) -> None:
    env = desk.env.read_text("utf-8")
    desk.env.write_text(env.replace("BITABLE_TABLE_ID=", "BITABLE_TABLE_ID=tblElse"), "utf-8")
    refused_ = await desk.give("tables", "create")
    assert refused_.exit_code == 2
    assert "BITABLE_TABLE_ID is set, but not the base of that table" in refused_.output
    assert desk.bases == []
    desk.env.unlink()
    desk.env.mkdir()
    settings = {"APP_ID": desk.sandbox.world.app.app_id, "APP_SECRET": desk.sandbox.world.app.secret}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**settings, "FEISHU_BASE_URL": desk.sandbox.url}.items():
            patch.setenv(name, value)
        broken = await desk.give("tables", "create")
        assert broken.exit_code == 2, broken.output
        [base] = desk.bases
        assert f"write BITABLE_APP_TOKEN={base.app_token} there" in broken.output
        desk.env.rmdir()
        made = await desk.give("tables", "create")
        assert made.exit_code == 0, made.output
    assert [one.app_token for one in desk.bases] == [desk.values["BITABLE_APP_TOKEN"]] == [base.app_token]
    assert desk.env.stat().st_mode & 0o777 == 0o600
    assert names(desk) == sorted(NAMES)


async def test_a_table_of_somebody_else_is_used_only_when_adopted(desk: Desk) -> None:
    base = desk.sandbox.bases.create("Ours")
    mine = base.create_table("活跃度", [{"field_name": "用户ID", "type": 1}, {"field_name": "统计周期", "type": 1}])
    desk.insert(mine, {"用户ID": "ou_1", "统计周期": "2026-10"})
    desk.env.write_text(desk.env.read_text("utf-8").replace("APP_TOKEN=", f"APP_TOKEN={base.app_token}"), "utf-8")
    refused_ = await desk.give("tables", "create")
    assert refused_.exit_code == 2
    assert "the base has a table 活跃度 already, which this program did not make" in refused_.output
    assert names(desk) == ["活跃度"]
    adopted = await desk.give("tables", "create", "--adopt")
    assert adopted.exit_code == 0, adopted.output
    assert "it has no 用户名称, 人员, " in adopted.output
    assert desk.values["BITABLE_TABLE_ID"] == mine.table_id
    assert (len(mine.fields), len(mine.records)) == (2, 1)
    assert names(desk) == sorted(NAMES)


async def test_a_table_with_a_column_of_the_wrong_type_is_not_adopted(desk: Desk) -> None:
    base = desk.sandbox.bases.create("Ours")
    base.create_table("活跃度", [{"field_name": "用户ID", "type": 2}])
    desk.env.write_text(desk.env.read_text("utf-8").replace("APP_TOKEN=", f"APP_TOKEN={base.app_token}"), "utf-8")
    refused_ = await desk.give("tables", "create", "--adopt")
    assert refused_.exit_code == 2
    assert "column 用户ID of table 活跃度 is 数字 (number)" in refused_.output
    assert names(desk) == ["活跃度"]


async def test_an_id_of_no_table_is_a_problem_and_nothing_is_made(desk: Desk) -> None:
    assert (await desk.give("tables", "create")).exit_code == 0
    desk.base.delete_tables([desk.values["BITABLE_TABLE_ID"]])
    refused_ = await desk.give("tables", "create")
    assert refused_.exit_code == 2
    assert "activity.activity: the base has no table tbl" in refused_.output
    assert "empty it to have a new table made" in refused_.output


async def test_the_first_table_of_a_base_that_somebody_uses_stays(desk: Desk) -> None:
    desk.sandbox.troubles[CREATE_TABLE].append(refused(1254304, 403))
    assert (await desk.give("tables", "create")).exit_code == 1
    first = desk.base.tables[desk.base.default_table_id]
    desk.insert(first, {"文本": "mine"})
    made = await desk.give("tables", "create")
    assert made.exit_code == 0, made.output
    assert "is in use already and stays" in made.output
    assert names(desk) == sorted({"数据表", *NAMES})


async def test_an_unknown_plugin_is_refused_with_those_enabled(desk: Desk) -> None:
    refused_ = await desk.give("tables", "create", "--plugin", "birthday")
    assert refused_.exit_code == 2
    assert "enabled are: activity, archive" in refused_.output


async def test_a_scope_that_is_missing_is_named(desk: Desk) -> None:
    desk.sandbox.world.app.scopes -= {"bitable:app"}
    refused_ = await desk.give("tables", "create")
    assert refused_.exit_code == 1
    assert "99991672" in refused_.output
    assert "bitable:app" in refused_.output
