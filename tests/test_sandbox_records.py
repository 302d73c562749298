"""The sandbox's records over HTTP: written, read, repeated and in conflict (FEISHU.md §5.1, §5.2, §5.7)."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from bitable_platform import BOT, HAN, LI, NOON, TERMS, TITLE, Answer, Platform

from sandbox.bitable.bases import Bases
from sandbox.bitable.media import Media
from sandbox.reply import ApiError

STATE = {"field_name": "状态", "type": 3, "property": {"options": [{"name": "待办", "color": 0}]}}
COUNT = {"field_name": "数", "type": 2}
OWNER = {"field_name": "人员", "type": 11}


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    async with Platform() as running:
        yield running


def token() -> str:
    return str(uuid.uuid4())


def rows(*fields: dict[str, Any]) -> dict[str, Any]:
    return {"records": [{"fields": row} for row in fields]}


async def created(platform: Platform, table: str, *fields: dict[str, Any]) -> list[str]:
    """The ids of new records."""
    answer = await platform.call("POST", f"{table}/records/batch_create", rows(*fields))
    assert answer.code == 0, answer
    return [record["record_id"] for record in answer.data["records"]]


async def titles(platform: Platform, table: str) -> list[str]:
    answer = await platform.call("POST", f"{table}/records/search", {})
    return [item["fields"]["标题"][0]["text"] if item["fields"] else "" for item in answer.data["items"]]


async def test_a_record_is_created_read_changed_and_deleted(platform: Platform) -> None:
    table = await platform.table(TITLE, STATE, OWNER)
    row = {"标题": "你好", "状态": "待办", "人员": [{"id": LI.open_id}]}
    answer = await platform.call("POST", f"{table}/records", {"fields": row})
    record_id = answer.data["record"]["record_id"]
    assert answer.data == {"record": {"fields": row, "id": record_id, "record_id": record_id}}
    answer = await platform.call("GET", f"{table}/records/{record_id}?automatic_fields=true")
    assert answer.data["record"]["fields"]["标题"] == [{"type": "text", "text": "你好"}]
    assert answer.data["record"]["fields"]["人员"][0]["name"] == "李雷"
    assert answer.data["record"]["created_time"] == int(NOON * 1000)
    platform.clock.now += 60
    change = {"标题": "再见", "人员": None}
    answer = await platform.call("PUT", f"{table}/records/{record_id}", {"fields": change})
    assert answer.data["record"] == {"fields": {"标题": "再见"}, "id": record_id, "record_id": record_id}
    answer = await platform.call("POST", f"{table}/records/search", {"automatic_fields": True})
    [item] = answer.data["items"]
    assert item["fields"] == {"标题": [{"type": "text", "text": "再见"}], "状态": "待办"}
    assert (item["created_time"], item["last_modified_time"]) == (int(NOON * 1000), int(NOON * 1000) + 60_000)
    assert item["created_by"]["id"] == BOT.open_id
    answer = await platform.call("DELETE", f"{table}/records/{record_id}")
    assert answer.data == {"deleted": True, "record_id": record_id}
    assert (await platform.call("GET", f"{table}/records/{record_id}")).code == 1254043


async def test_records_are_created_changed_and_deleted_in_batches(platform: Platform) -> None:
    table = await platform.table(TITLE, COUNT)
    answer = await platform.call("POST", f"{table}/records/batch_create", rows({"标题": "一", "数": 1}, {"标题": "二"}))
    one, two = answer.data["records"]
    assert one == {"fields": {"标题": "一", "数": 1}, "id": one["record_id"], "record_id": one["record_id"]}
    ids = [one["record_id"], two["record_id"]]
    changes = {"records": [{"record_id": ids[0], "fields": {"数": None}}, {"record_id": ids[1], "fields": {"数": 2}}]}
    answer = await platform.call("POST", f"{table}/records/batch_update", changes)
    assert [record["fields"] for record in answer.data["records"]] == [{}, {"数": 2}]
    answer = await platform.call("POST", f"{table}/records/batch_get", {"record_ids": [ids[1], "recGone", ids[0]]})
    assert [record["fields"].get("数") for record in answer.data["records"]] == [2, None]
    assert (answer.data["absent_record_ids"], answer.data["forbidden_record_ids"]) == (["recGone"], [])
    answer = await platform.call("POST", f"{table}/records/batch_delete", {"records": ids})
    assert answer.data == {"records": [{"deleted": True, "record_id": one} for one in ids]}
    assert await titles(platform, table) == []


async def test_batch_get_takes_its_wishes_from_the_body(platform: Platform) -> None:
    table = await platform.table(TITLE, OWNER)
    [record_id] = await created(platform, table, {"人员": [{"id": HAN.open_id}]})
    wishes = {"user_id_type": "union_id", "automatic_fields": True, "with_shared_url": True, "record_ids": [record_id]}
    answer = await platform.call("POST", f"{table}/records/batch_get", wishes)
    [record] = answer.data["records"]
    assert record["fields"]["人员"][0]["id"] == HAN.union_id
    assert record["shared_url"].endswith(record_id)
    assert "last_modified_time" in record


async def test_the_id_type_of_people_is_the_caller_s_choice(platform: Platform) -> None:
    table = await platform.table(TITLE, OWNER)
    by_user_id = f"{table}/records?user_id_type=user_id"
    answer = await platform.call("POST", by_user_id, {"fields": {"人员": [{"id": "li"}]}})
    assert answer.data["record"]["fields"] == {"人员": [{"id": "li"}]}
    answer = await platform.call("POST", by_user_id, {"fields": {"人员": [{"id": LI.open_id}]}})
    assert (answer.code, answer.culprit) == (1254066, "fields.人员")
    answer = await platform.call("POST", f"{table}/records/search?user_id_type=union_id", {})
    assert answer.data["items"][0]["fields"]["人员"][0]["id"] == LI.union_id
    answer = await platform.call("POST", f"{table}/records/search?user_id_type=name", {})
    assert (answer.status, answer.code) == (400, 99992402)


@pytest.mark.parametrize("operation", ["batch_create", "batch_update"])
async def test_a_batch_with_one_bad_record_changes_nothing(platform: Platform, operation: str) -> None:
    table = await platform.table(TITLE, COUNT, STATE)
    ids = await created(platform, table, {"标题": "一"}, {"标题": "二"})
    good, bad = {"标题": "新", "状态": "新状态"}, {"数": "三"}
    records = [{"record_id": one, "fields": row} for one, row in zip(ids, (good, bad), strict=True)]
    answer = await platform.call("POST", f"{table}/records/{operation}", {"records": records})
    assert (answer.status, answer.code, answer.culprit) == (200, 1254061, "fields.数")
    assert await titles(platform, table) == ["一", "二"]
    fields = (await platform.call("GET", f"{table}/fields")).data["items"]
    assert [option["name"] for option in fields[2]["property"]["options"]] == ["待办"]


async def test_deleting_stops_before_anything_is_gone(platform: Platform) -> None:
    table = await platform.table(TITLE)
    [one] = await created(platform, table, {"标题": "一"})
    answer = await platform.call("POST", f"{table}/records/batch_delete", {"records": [one, "recGone"]})
    assert (answer.code, answer.culprit) == (1254043, "recGone")
    assert await titles(platform, table) == ["一"]


async def test_an_unknown_field_is_named_and_answered_with_404(platform: Platform) -> None:
    table = await platform.table(TITLE)
    answer = await platform.call("POST", f"{table}/records", {"fields": {"NoSuchField": 1}})
    assert (answer.status, answer.code, answer.culprit) == (404, 1254045, "fields.NoSuchField")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("bitable/v1/apps/short", 1254003),
        ("bitable/v1/apps/bascnAAAABBBBCCCCDDDDEEEEF1", 1254040),
        ("bitable/v1/apps/{base}/tables/first/fields", 1254004),
        ("bitable/v1/apps/{base}/tables/tblUnknown/fields", 1254041),
        ("{table}/fields?view_id=grid", 1254005),
        ("{table}/records/1", 1254006),
        ("{table}/records/recUnknown", 1254043),
    ],
)
async def test_ids_are_told_apart_into_malformed_and_unknown(platform: Platform, path: str, code: int) -> None:
    app_token = await platform.base()
    table = await platform.table(TITLE, app_token=app_token)
    answer = await platform.call("GET", path.format(base=app_token, table=table))
    assert (answer.status, answer.code) == (200, code)


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("", {}, 1254001),
        ("", {"fields": []}, 1254001),
        ("/batch_create", {}, 1254001),
        ("/batch_create", {"records": {}}, 1254001),
        ("/batch_create", {"records": []}, 1254007),
        ("/batch_create", {"records": [1]}, 1254001),
        ("/batch_create", {"records": [{"fields": {}}] * 1001}, 1254104),
        ("/batch_update", {"records": [1]}, 1254001),
        ("/batch_update", {"records": [{"fields": {}}]}, 1254006),
        ("/batch_update", {"records": [{"record_id": "recGone", "fields": {}}]}, 1254043),
        ("/batch_update", {"records": [{}] * 1001}, 1254104),
        ("/batch_delete", {"records": []}, 1254007),
        ("/batch_delete", {"records": ["recGone"] * 501}, 1254104),
        ("/batch_get", {"record_ids": ["recGone"] * 101}, 1254104),
        ("/batch_get", {"record_ids": ["1"]}, 1254006),
        ("/batch_get", {"record_ids": ["recGone"], "user_id_type": 1}, 1254001),
    ],
)
async def test_a_body_of_another_shape_or_size_is_refused(
    platform: Platform, path: str, body: dict[str, Any], code: int
) -> None:
    table = await platform.table(TITLE)
    assert (await platform.call("POST", f"{table}/records{path}", body)).code == code


async def test_the_largest_batches_are_accepted(platform: Platform) -> None:
    table = await platform.table(TITLE)
    ids = await created(platform, table, *[{"标题": "x"}] * 1000)
    changes = {"records": [{"record_id": one, "fields": {"标题": "y"}} for one in ids]}
    assert (await platform.call("POST", f"{table}/records/batch_update", changes)).code == 0
    assert (await platform.call("POST", f"{table}/records/batch_get", {"record_ids": ids[:100]})).code == 0
    assert (await platform.call("POST", f"{table}/records/batch_delete", {"records": ids[:500]})).code == 0
    assert len(await titles(platform, f"{table}")) == 20
    answer = await platform.call("POST", f"{table}/records/search?page_size=500", {})
    assert (len(answer.data["items"]), answer.data["has_more"]) == (500, False)


async def test_a_full_table_takes_no_more_records() -> None:
    async with Platform(records_per_table=3) as platform:
        table = await platform.table(TITLE)
        await created(platform, table, {}, {})
        answer = await platform.call("POST", f"{table}/records/batch_create", rows({}, {}))
        assert (answer.status, answer.code) == (200, 1254103)
        assert len(await titles(platform, table)) == 2
        await created(platform, table, {})


async def test_the_older_list_shows_records_without_reading_formulas(platform: Platform) -> None:
    table = await platform.table(TITLE, COUNT)
    await created(platform, table, {"标题": "一", "数": 1}, {"标题": "二"})
    answer = await platform.call("GET", f'{table}/records?page_size=1&field_names=["数"]&automatic_fields=true')
    [item] = answer.data["items"]
    assert (item["fields"], item["id"]) == ({"数": 1}, item["record_id"])
    assert (answer.data["has_more"], answer.data["total"], item["created_time"]) == (True, 2, int(NOON * 1000))
    answer = await platform.call("GET", f"{table}/records?page_size=1&page_token={answer.data['page_token']}")
    assert answer.data["items"][0]["fields"]["标题"][0]["text"] == "二"
    assert (await platform.call("GET", f"{table}/records?filter=CurrentValue.[数]=1")).code == 1254018
    assert (await platform.call("GET", f'{table}/records?sort=["数 DESC"]')).code == 1254016
    assert (await platform.call("GET", f"{table}/records?field_names=[")).code == 1254024


# Client tokens.


async def test_a_repeated_token_gets_the_first_answer_and_writes_nothing(platform: Platform) -> None:
    table = await platform.table(TITLE)
    path = f"{table}/records/batch_create?client_token={token()}"
    first = await platform.call("POST", path, rows({"标题": "一"}, {"标题": "二"}))
    await platform.call("POST", f"{table}/records", {"fields": {"标题": "三"}})
    assert (await platform.call("POST", path, rows({"标题": "一"}, {"标题": "二"}))).data == first.data
    assert await titles(platform, table) == ["一", "二", "三"]


async def test_a_token_is_not_reused_for_another_request(platform: Platform) -> None:
    table = await platform.table(TITLE)
    path = f"{table}/records/batch_create?client_token={token()}"
    await platform.call("POST", path, rows({"标题": "一"}))
    answer = await platform.call("POST", path, rows({"标题": "二"}))
    assert (answer.status, answer.code) == (400, 1255006)
    assert await titles(platform, table) == ["一"]


async def test_a_token_of_a_refused_write_is_free_again(platform: Platform) -> None:
    table = await platform.table(TITLE)
    path = f"{table}/records?client_token={token()}"
    assert (await platform.call("POST", path, {"fields": {"标题": 1}})).code == 1254060
    assert (await platform.call("POST", path, {"fields": {"标题": "一"}})).code == 0


@pytest.mark.parametrize("bad", ["1", "c232ab00-9414-11ec-b3c8-9f6bdeced846", f"{uuid.UUID(int=0)}", "x" * 36])
async def test_a_token_is_a_uuid_of_version_4(platform: Platform, bad: str) -> None:
    table = await platform.table(TITLE)
    answer = await platform.call("POST", f"{table}/records?client_token={bad}", {"fields": {}})
    assert (answer.status, answer.code) == (400, 1254037)


async def test_a_replay_may_also_be_answered_as_resubmitted() -> None:
    async with Platform(replay="resubmitted") as platform:
        table = await platform.table(TITLE)
        path = f"{table}/records?client_token={token()}"
        first, second = [await platform.call("POST", path, {"fields": {"标题": "一"}}) for _ in range(2)]
        assert (first.code, second.status, second.code) == (0, 403, 1254608)
        assert await titles(platform, table) == ["一"]


async def test_updates_honour_tokens_too(platform: Platform) -> None:
    table = await platform.table(TITLE)
    [one] = await created(platform, table, {})
    path = f"{table}/records/{one}?client_token={token()}"
    first = await platform.call("PUT", path, {"fields": {"标题": "一"}})
    await platform.call("PUT", f"{table}/records/{one}", {"fields": {"标题": "二"}})
    assert (await platform.call("PUT", path, {"fields": {"标题": "一"}})).data == first.data
    assert await titles(platform, table) == ["二"]


# One writer.


async def test_a_write_that_meets_another_one_is_refused() -> None:
    async with Platform(write_seconds=0.05) as platform:
        app_token = await platform.base()
        table = await platform.table(TITLE, app_token=app_token)
        other = await platform.table(TITLE, app_token=app_token, name="另一张")

        async def write(path: str, query: str = "") -> Answer:
            return await platform.call("POST", f"{path}/records{query}", {"fields": {"标题": "x"}})

        answers = await asyncio.gather(*(write(table) for _ in range(4)), write(other))
        assert sorted(answer.code for answer in answers[:4]) == [0, 1254291, 1254291, 1254291]
        assert {answer.status for answer in answers} == {200}
        assert answers[4].code == 0
        assert len(await titles(platform, table)) == 1
        answers = await asyncio.gather(*(write(table, "?ignore_consistency_check=true") for _ in range(3)))
        assert [answer.code for answer in answers] == [0, 0, 0]
        assert (await write(table)).code == 0


async def test_a_write_whose_caller_went_away_is_made_and_frees_the_table() -> None:
    media = Media()
    table = Bases(media, write_seconds=30.0).create("台账").create_table("表", [TITLE])
    writing = asyncio.create_task(table.gate.write(lambda: table.create([{"标题": "一"}], TERMS)))
    await asyncio.sleep(0)
    with pytest.raises(ApiError) as problem:
        await table.gate.write(list)
    assert problem.value.code == 1254291
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    table.gate.write_seconds = 0.0
    await table.gate.write(lambda: table.create([{"标题": "二"}], TERMS))
    assert len(table.records) == 2
    media.close()
