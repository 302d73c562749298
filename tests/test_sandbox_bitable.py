"""The sandbox's Bitable API over HTTP: every operation, its answers and its refusals (FEISHU.md §5)."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from bitable_platform import LI, TERMS, TITLE, Platform

from sandbox.bitable.bases import Bases
from sandbox.bitable.media import Media
from sandbox.bitable.templates import create_reference_tables

STATE = {"field_name": "状态", "type": 3, "property": {"options": [{"name": "待办", "color": 0}]}}


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    async with Platform() as running:
        yield running


def token() -> str:
    return str(uuid.uuid4())


# Bases and tables.


async def test_a_base_is_created_with_a_first_table_and_can_be_looked_at(platform: Platform) -> None:
    answer = await platform.call("POST", "bitable/v1/apps", {"name": "台账", "folder_token": "fldcn1"})
    app = answer.data["app"]
    assert len(app["app_token"]) == 27
    assert app["app_token"].startswith("bascn")
    assert (app["name"], app["folder_token"], app["url"]) == (
        "台账",
        "fldcn1",
        f"https://example.feishu.cn/base/{app['app_token']}",
    )
    answer = await platform.call("GET", f"bitable/v1/apps/{app['app_token']}")
    revision = answer.data["app"].pop("revision")
    assert revision > 0
    assert answer.data["app"] == {
        "app_token": app["app_token"],
        "name": "台账",
        "is_advanced": False,
        "time_zone": "Asia/Shanghai",
        "formula_type": 1,
        "advance_version": "v2",
    }
    answer = await platform.call("GET", f"bitable/v1/apps/{app['app_token']}/tables")
    assert [table["table_id"] for table in answer.data["items"]] == [app["default_table_id"]]


async def test_a_table_is_created_listed_renamed_and_deleted(platform: Platform) -> None:
    base = f"bitable/v1/apps/{await platform.base()}"
    spec = {"name": "消息", "default_view_name": "全部", "fields": [TITLE, STATE]}
    answer = await platform.call("POST", f"{base}/tables", {"table": spec})
    table_id = answer.data["table_id"]
    assert table_id.startswith("tbl")
    assert answer.data["default_view_id"].startswith("vew")
    assert [field[:3] for field in answer.data["field_id_list"]] == ["fld", "fld"]
    answer = await platform.call("PATCH", f"{base}/tables/{table_id}", {"name": "归档"})
    assert answer.data == {"name": "归档"}
    answer = await platform.call("GET", f"{base}/tables")
    assert (answer.data["total"], answer.data["items"][1]["name"]) == (2, "归档")
    assert answer.data["items"][1]["revision"] > 0
    answer = await platform.call("DELETE", f"{base}/tables/{table_id}")
    assert (answer.code, answer.data) == (0, {})
    assert (await platform.call("GET", f"{base}/tables/{table_id}/fields")).code == 1254041


async def test_tables_are_created_and_deleted_together_or_not_at_all(platform: Platform) -> None:
    tables = f"bitable/v1/apps/{await platform.base()}/tables"
    answer = await platform.call("POST", f"{tables}/batch_create", {"tables": [{"name": "甲"}, {"name": "甲"}]})
    assert (answer.code, answer.culprit) == (1254013, "甲")
    assert (await platform.call("GET", tables)).data["total"] == 1
    answer = await platform.call("POST", f"{tables}/batch_create", {"tables": [{"name": "甲"}, {"name": "乙"}]})
    ids = answer.data["table_ids"]
    answer = await platform.call("POST", f"{tables}/batch_delete", {"table_ids": [ids[0], "tblUnknown"]})
    assert answer.code == 1254041
    assert (await platform.call("GET", tables)).data["total"] == 3
    assert (await platform.call("POST", f"{tables}/batch_delete", {"table_ids": ids})).code == 0
    assert (await platform.call("GET", tables)).data["total"] == 1


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/batch_create", {}, 1254001),
        ("/batch_create", {"tables": ["甲"]}, 1254001),
        ("/batch_create", {"tables": []}, 1254007),
        ("/batch_delete", {"table_ids": "tbl"}, 1254001),
        ("/batch_delete", {"table_ids": []}, 1254007),
        ("/batch_delete", {"table_ids": ["1"]}, 1254004),
    ],
)
async def test_a_list_of_tables_has_a_shape(platform: Platform, path: str, body: dict[str, Any], code: int) -> None:
    tables = f"bitable/v1/apps/{await platform.base()}/tables"
    assert (await platform.call("POST", f"{tables}{path}", body)).code == code


async def test_a_base_has_a_name_of_letters(platform: Platform) -> None:
    assert (await platform.call("POST", "bitable/v1/apps", {"name": 1})).code == 1254001
    assert (await platform.call("POST", "bitable/v1/apps", {})).data["app"]["name"] == "未命名多维表格"


async def test_lists_are_paged_by_the_last_id_of_a_page(platform: Platform) -> None:
    tables = f"bitable/v1/apps/{await platform.base()}/tables"
    names = [f"表{number}" for number in range(4)]
    await platform.call("POST", f"{tables}/batch_create", {"tables": [{"name": name} for name in names]})
    first = await platform.call("GET", f"{tables}?page_size=3")
    assert (first.data["has_more"], first.data["total"]) == (True, 5)
    assert first.data["page_token"] == first.data["items"][-1]["table_id"]
    rest = await platform.call("GET", f"{tables}?page_size=3&page_token={first.data['page_token']}")
    assert [item["name"] for item in first.data["items"] + rest.data["items"]] == ["数据表", *names]
    assert rest.data["has_more"] is False
    assert (await platform.call("GET", f"{tables}?page_size=101")).code == 1254011
    assert (await platform.call("GET", f"{tables}?page_token=tblNoSuch")).code == 1254002


@pytest.mark.parametrize(
    ("table", "code"),
    [
        (None, 1254001),
        ({"name": ""}, 1254001),
        ({"name": "长" * 101}, 1254001),
        ({"name": "a/b"}, 1254001),
        ({"name": "数据表"}, 1254013),
        ({"name": "表", "fields": []}, 1254001),
        ({"name": "表", "fields": [{"field_name": "人", "type": 11}]}, 1254012),
        ({"name": "表", "fields": [TITLE, TITLE]}, 1254014),
        ({"name": "表", "fields": [TITLE], "default_view_name": ""}, 1254021),
    ],
)
async def test_a_table_that_cannot_be_is_refused_and_leaves_nothing(
    platform: Platform, table: dict[str, Any] | None, code: int
) -> None:
    tables = f"bitable/v1/apps/{await platform.base()}/tables"
    assert (await platform.call("POST", tables, {"table": table})).code == code
    assert (await platform.call("GET", tables)).data["total"] == 1


async def test_a_base_holds_100_tables(platform: Platform) -> None:
    tables = f"bitable/v1/apps/{await platform.base()}/tables"
    names = {"tables": [{"name": f"表{number}"} for number in range(99)]}
    assert (await platform.call("POST", f"{tables}/batch_create", names)).code == 0
    assert (await platform.call("POST", tables, {"table": {"name": "多"}})).code == 1254100


# Fields and views.


async def test_a_field_is_created_listed_replaced_and_deleted(platform: Platform) -> None:
    table = await platform.table(TITLE)
    answer = await platform.call("POST", f"{table}/fields", {**STATE, "description": {"text": "到哪一步了"}})
    field = answer.data["field"]
    [option] = field["property"].pop("options")
    assert option == {"name": "待办", "color": 0, "id": option["id"]}
    assert field == {
        "field_id": field["field_id"],
        "field_name": "状态",
        "is_primary": False,
        "property": {},
        "type": 3,
        "ui_type": "SingleSelect",
        "description": "到哪一步了",
    }
    answer = await platform.call("GET", f"{table}/fields?text_field_as_array=true")
    assert (answer.data["total"], answer.data["has_more"]) == (2, False)
    assert answer.data["items"][0]["is_primary"] is True
    assert answer.data["items"][0]["property"] is None
    assert answer.data["items"][1]["description"] == [{"type": "text", "text": "到哪一步了"}]
    path = f"{table}/fields/{field['field_id']}"
    answer = await platform.call("PUT", path, {"field_name": "进度", "type": 2, "ui_type": "Progress"})
    assert (answer.data["field"]["field_name"], answer.data["field"]["ui_type"]) == ("进度", "Progress")
    answer = await platform.call("DELETE", path)
    assert answer.data == {"field_id": field["field_id"], "deleted": True}
    assert (await platform.call("DELETE", path)).code == 1254044
    assert (await platform.call("PUT", f"{table}/fields/first", TITLE)).code == 1254009
    assert (await platform.call("POST", f"{table}/fields", TITLE)).code == 1254014


async def test_a_field_created_twice_with_one_token_is_one_field(platform: Platform) -> None:
    table = await platform.table(TITLE)
    path = f"{table}/fields?client_token={token()}"
    first, second = [await platform.call("POST", path, STATE) for _ in range(2)]
    assert first.data == second.data
    assert (await platform.call("GET", f"{table}/fields")).data["total"] == 2


async def test_views_are_created_and_listed(platform: Platform) -> None:
    table = await platform.table(TITLE)
    answer = await platform.call("POST", f"{table}/views", {"view_name": "看板", "view_type": "kanban"})
    view = answer.data["view"]
    assert view == {"view_id": view["view_id"], "view_name": "看板", "view_type": "kanban"}
    answer = await platform.call("GET", f"{table}/views")
    assert [(one["view_name"], one["view_type"]) for one in answer.data["items"]] == [
        ("表格", "grid"),
        ("看板", "kanban"),
    ]
    assert (await platform.call("GET", f"{table}/fields?view_id={view['view_id']}")).code == 0
    assert (await platform.call("GET", f"{table}/fields?view_id=vewUnknown")).code == 1254042
    refused = (
        {"view_name": "", "code": 1254021},
        {"view_name": "[x]", "code": 1254022},
        {"view_name": "看板", "code": 1254020},
    )
    for refusal in refused:
        assert (await platform.call("POST", f"{table}/views", {"view_name": refusal["view_name"]})).code == refusal[
            "code"
        ]
    assert (await platform.call("POST", f"{table}/views", {"view_name": "图", "view_type": "pie"})).code == 1254019
    for number in range(198):
        await platform.call("POST", f"{table}/views", {"view_name": f"视图{number}"})
    assert (await platform.call("POST", f"{table}/views", {"view_name": "多"})).code == 1254101


# The whole.


def test_the_same_seed_gives_the_same_ids() -> None:
    def ids(seed: int) -> tuple[object, list[str]]:
        media = Media(seed=seed)
        bases = Bases(media, seed=seed)
        tables = create_reference_tables(bases)
        records = bases.find(tables.app_token).table(tables.activity).create([{}, {}], TERMS)
        media.close()
        return tables, records

    assert ids(1) == ids(1)
    assert ids(1) != ids(2)


def test_the_reference_tables_have_the_columns_users_know() -> None:
    media = Media()
    bases = Bases(media)
    tables = create_reference_tables(bases)
    base = bases.find(tables.app_token)
    types = {
        name: {field.name: field.type for field in base.table(getattr(tables, name)).fields}
        for name in ("activity", "archive", "summary", "pin")
    }
    media.close()
    assert types["activity"] == {
        **dict.fromkeys(("用户ID", "用户名称", "统计周期"), 1),
        "人员": 11,
        **dict.fromkeys(("发言次数", "发言字数", "被回复数", "单独被@次数", "发起话题数", "点赞数", "被点赞数"), 2),
        **dict.fromkeys(("被Pin次数", "活跃度分数", "更新时间"), 2),
    }
    assert types["archive"]["附件信息"] == 17
    assert types["archive"]["消息链接"] == 15
    assert types["archive"]["发送时间"] == 5
    assert {"话题状态": 3, "摘要": 1, "关键词": 1}.items() <= types["summary"].items()
    assert set(types["pin"]) >= {"Pin消息ID", "Pin操作人ID", "Pin时间", "归档时间"}


def test_every_operation_is_named_once_and_needs_a_scope() -> None:
    platform = Platform()
    bitable = [endpoint for endpoint in platform.endpoints if endpoint.name.startswith("bitable.")]
    platform.media.close()
    assert len({endpoint.name for endpoint in bitable}) == len(bitable) == 24
    assert len({(endpoint.method, endpoint.path) for endpoint in bitable}) == 24
    assert all("bitable:app" in endpoint.scopes for endpoint in bitable)
    limits = {endpoint.name: endpoint.per_second for endpoint in bitable}
    assert limits["bitable.v1.appTableRecord.batchCreate"] == 50
    assert limits["bitable.v1.appTableRecord.search"] == 20
    assert limits["bitable.v1.appTableField.create"] == 10


def test_a_thousand_records_of_fourteen_fields_are_written_quickly() -> None:
    """40 ms is the aim on an idle machine; the bound leaves room for a busy one."""
    media = Media()
    bases = Bases(media)
    tables = create_reference_tables(bases)
    table = bases.find(tables.app_token).table(tables.activity)
    counts = {field.name: 7 for field in table.fields if field.type == 2}
    batch = [
        {"用户ID": f"ou_{n}", "用户名称": "李雷", "人员": [{"id": LI.open_id}], "统计周期": "2026-11", **counts}
        for n in range(1000)
    ]
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        table.create(batch, TERMS)
        seconds.append(time.perf_counter() - began)
    media.close()
    assert min(seconds) < 0.2
