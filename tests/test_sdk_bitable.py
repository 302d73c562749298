"""The unmodified official Python SDK works with the sandbox's Bitable and drive (FEISHU.md §0.1, §5, §6)."""

from __future__ import annotations

import asyncio
import io
import uuid
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

import lark_oapi as lark
import pytest
from lark_oapi.api.bitable.v1 import (
    AppTableCreateHeader,
    AppTableField,
    AppTableFieldProperty,
    AppTableFieldPropertyOption,
    AppTableRecord,
    BatchCreateAppTableRecordRequest,
    BatchCreateAppTableRecordRequestBody,
    BatchDeleteAppTableRecordRequest,
    BatchDeleteAppTableRecordRequestBody,
    BatchGetAppTableRecordRequest,
    BatchGetAppTableRecordRequestBody,
    BatchUpdateAppTableRecordRequest,
    BatchUpdateAppTableRecordRequestBody,
    Condition,
    CreateAppRequest,
    CreateAppTableFieldRequest,
    CreateAppTableRecordRequest,
    CreateAppTableRequest,
    CreateAppTableRequestBody,
    DeleteAppTableRecordRequest,
    FilterInfo,
    ListAppTableFieldRequest,
    ReqApp,
    ReqTable,
    SearchAppTableRecordRequest,
    SearchAppTableRecordRequestBody,
    Sort,
    UpdateAppTableRecordRequest,
)
from lark_oapi.api.drive.v1 import (
    BatchGetTmpDownloadUrlMediaRequest,
    DownloadMediaRequest,
    MediaUploadInfo,
    UploadAllMediaRequest,
    UploadAllMediaRequestBody,
    UploadFinishMediaRequest,
    UploadFinishMediaRequestBody,
    UploadPartMediaRequest,
    UploadPartMediaRequestBody,
    UploadPrepareMediaRequest,
)

from sandbox.config import SandboxConfig
from sandbox.server import Sandbox

_Response = TypeVar("_Response")
TEXT, NUMBER, SELECT, ATTACHMENT = 1, 2, 3, 17


class Desk:
    """An SDK client and what it talks to. Calls run in a thread, because the SDK blocks."""

    def __init__(self, sandbox: Sandbox) -> None:
        app = sandbox.world.app
        self.sandbox = sandbox
        self.client = (
            lark.Client.builder().app_id(app.app_id).app_secret(app.secret).domain(sandbox.url).timeout(20).build()
        )
        self.bitable = self.client.bitable.v1
        self.media = self.client.drive.v1.media
        self.app_token = self.table_id = ""

    async def ask(self, call: Callable[[Any], _Response], request: Any) -> Any:
        """The data of a call that succeeds."""
        response: Any = await asyncio.to_thread(call, request)
        assert response.success(), (response.code, response.msg, response.error)
        return response.data

    async def refused(self, call: Callable[[Any], _Response], request: Any) -> int:
        """The code of a call that fails."""
        response: Any = await asyncio.to_thread(call, request)
        assert not response.success()
        code: int = response.code
        return code

    def at(self, builder: Any) -> Any:
        """A request builder pointed at the table."""
        return builder.app_token(self.app_token).table_id(self.table_id)

    async def create(self, *rows: dict[str, Any], token: str = "") -> list[Any]:
        """New records."""
        body = BatchCreateAppTableRecordRequestBody.builder().records([record(row) for row in rows]).build()
        builder = self.at(BatchCreateAppTableRecordRequest.builder()).request_body(body)
        request = (builder.client_token(token) if token else builder).build()
        data = await self.ask(self.bitable.app_table_record.batch_create, request)
        records: list[Any] = data.records
        return records

    async def search(self, **wishes: Any) -> list[Any]:
        """What a search finds."""
        body = SearchAppTableRecordRequestBody()
        for name, wish in wishes.items():
            setattr(body, name, wish)
        request = self.at(SearchAppTableRecordRequest.builder()).page_size(100).request_body(body).build()
        data = await self.ask(self.bitable.app_table_record.search, request)
        items: list[Any] = data.items or []
        return items


def record(fields: dict[str, Any], record_id: str = "") -> AppTableRecord:
    builder = AppTableRecord.builder().fields(fields)
    return (builder.record_id(record_id) if record_id else builder).build()


def header(name: str, type_: int) -> AppTableCreateHeader:
    return AppTableCreateHeader.builder().field_name(name).type(type_).build()


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    # The SDK keeps tokens by app_id for the whole process, so every sandbox has an app of its own (FEISHU.md §0.1).
    config = SandboxConfig(scenario="quiet", rate_limits=False, app_id=f"cli_{uuid.uuid4().hex[:16]}")
    async with Sandbox(config) as sandbox:
        desk = Desk(sandbox)
        base = ReqApp.builder().name("台账").time_zone("Asia/Shanghai").build()
        request = CreateAppRequest.builder().request_body(base).build()
        desk.app_token = (await desk.ask(desk.bitable.app.create, request)).app.app_token
        fields = [header("标题", TEXT), header("数", NUMBER), header("附件", ATTACHMENT)]
        table = ReqTable.builder().name("消息").default_view_name("全部").fields(fields).build()
        body = CreateAppTableRequestBody.builder().table(table).build()
        request = CreateAppTableRequest.builder().app_token(desk.app_token).request_body(body).build()
        desk.table_id = (await desk.ask(desk.bitable.app_table.create, request)).table_id
        yield desk


async def test_fields_are_added_and_listed(desk: Desk) -> None:
    option = AppTableFieldPropertyOption.builder().name("待办").color(3).build()
    settings = AppTableFieldProperty.builder().options([option]).build()
    field = AppTableField.builder().field_name("状态").type(SELECT).property(settings).build()
    request = desk.at(CreateAppTableFieldRequest.builder()).request_body(field).build()
    created = (await desk.ask(desk.bitable.app_table_field.create, request)).field
    assert created.property.options[0].id.startswith("opt")
    listed = await desk.ask(desk.bitable.app_table_field.list, desk.at(ListAppTableFieldRequest.builder()).build())
    assert [(one.field_name, one.type, one.is_primary) for one in listed.items] == [
        ("标题", TEXT, True),
        ("数", NUMBER, False),
        ("附件", ATTACHMENT, False),
        ("状态", SELECT, False),
    ]


async def test_a_record_is_written_changed_and_deleted(desk: Desk) -> None:
    records = desk.bitable.app_table_record
    request = desk.at(CreateAppTableRecordRequest.builder()).request_body(record({"标题": "你好", "数": 1})).build()
    created = (await desk.ask(records.create, request)).record
    assert created.fields == {"标题": "你好", "数": 1}
    target = created.record_id
    request = desk.at(UpdateAppTableRecordRequest.builder()).record_id(target).request_body(record({"数": 2})).build()
    assert (await desk.ask(records.update, request)).record.fields == {"数": 2}
    [found] = await desk.search()
    assert found.fields == {"标题": [{"text": "你好", "type": "text"}], "数": 2}
    request = desk.at(DeleteAppTableRecordRequest.builder()).record_id(target).build()
    assert (await desk.ask(records.delete, request)).deleted is True
    assert await desk.refused(records.delete, request) == 1254043


async def test_batches_search_and_batch_get(desk: Desk) -> None:
    records = desk.bitable.app_table_record
    created = await desk.create(*({"标题": f"第{number}条", "数": number} for number in range(10)))
    ids = [one.record_id for one in created]
    changed = [record({"数": 100}, ids[0]), record({"数": None}, ids[1])]
    body = BatchUpdateAppTableRecordRequestBody.builder().records(changed).build()
    request = desk.at(BatchUpdateAppTableRecordRequest.builder()).request_body(body).build()
    assert [one.record_id for one in (await desk.ask(records.batch_update, request)).records] == ids[:2]
    condition = Condition.builder().field_name("数").operator("isGreater").value(["6"]).build()
    conditions = FilterInfo.builder().conjunction("and").conditions([condition]).build()
    sort = Sort.builder().field_name("数").desc(True).build()
    found = await desk.search(filter=conditions, sort=[sort], field_names=["数"], automatic_fields=True)
    assert [one.fields for one in found] == [{"数": number} for number in (100, 9, 8, 7)]
    assert found[0].created_by.id == desk.sandbox.world.app.open_id
    body = BatchGetAppTableRecordRequestBody.builder().record_ids([ids[2], "recGone"]).build()
    request = desk.at(BatchGetAppTableRecordRequest.builder()).request_body(body).build()
    got = await desk.ask(records.batch_get, request)
    assert ([one.fields["数"] for one in got.records], got.absent_record_ids) == ([2], ["recGone"])
    body = BatchDeleteAppTableRecordRequestBody.builder().records(ids[:9]).build()
    request = desk.at(BatchDeleteAppTableRecordRequest.builder()).request_body(body).build()
    assert len((await desk.ask(records.batch_delete, request)).records) == 9
    assert [one.record_id for one in await desk.search()] == ids[9:]


async def test_a_client_token_makes_one_batch_of_two(desk: Desk) -> None:
    token = str(uuid.uuid4())
    first = await desk.create({"标题": "一"}, {"标题": "二"}, token=token)
    second = await desk.create({"标题": "一"}, {"标题": "二"}, token=token)
    assert [one.record_id for one in first] == [one.record_id for one in second]
    assert len(await desk.search()) == 2


async def test_a_refusal_arrives_as_code_and_culprit(desk: Desk) -> None:
    request = desk.at(CreateAppTableRecordRequest.builder()).request_body(record({"NoSuchField": 1})).build()
    response = await asyncio.to_thread(desk.bitable.app_table_record.create, request)
    assert (response.code, response.msg) == (1254045, "FieldNameNotFound")
    assert response.error["message"] == "fields.NoSuchField"
    assert len(response.get_log_id()) == 32


async def test_a_file_is_uploaded_attached_and_downloaded(desk: Desk) -> None:
    data = b"\x89PNG" + bytes(range(256))
    body = (
        UploadAllMediaRequestBody.builder()
        .file_name("图.png")
        .parent_type("bitable_image")
        .parent_node(desk.app_token)
        .size(len(data))
        .checksum(str(zlib.adler32(data)))
        .extra(f'{{"drive_route_token":"{desk.app_token}"}}')
        .file(io.BytesIO(data))
        .build()
    )
    request = UploadAllMediaRequest.builder().request_body(body).build()
    token = (await desk.ask(desk.media.upload_all, request)).file_token
    await desk.create({"附件": [{"file_token": token}]})
    [found] = await desk.search()
    [attachment] = found.fields["附件"]
    assert (attachment["file_token"], attachment["name"], attachment["size"]) == (token, "图.png", len(data))
    request = DownloadMediaRequest.builder().file_token(token).build()
    response = await asyncio.to_thread(desk.media.download, request)
    assert (response.file.read(), response.file_name) == (data, "图.png")
    request = DownloadMediaRequest.builder().file_token("boxcnUnknown").build()
    assert await desk.refused(desk.media.download, request) == 1061003


async def test_a_large_file_goes_up_in_blocks(desk: Desk) -> None:
    upload = (
        MediaUploadInfo.builder()
        .file_name("大.bin")
        .parent_type("bitable_file")
        .parent_node(desk.app_token)
        .size(4_194_304 + 5)
        .build()
    )
    request = UploadPrepareMediaRequest.builder().request_body(upload).build()
    plan = await desk.ask(desk.media.upload_prepare, request)
    assert (plan.block_size, plan.block_num) == (4_194_304, 2)
    blocks = [b"a" * plan.block_size, b"bbbbb"]
    for seq in (1, 0):
        body = (
            UploadPartMediaRequestBody.builder()
            .upload_id(plan.upload_id)
            .seq(seq)
            .size(len(blocks[seq]))
            .checksum(str(zlib.adler32(blocks[seq])))
            .file(io.BytesIO(blocks[seq]))
            .build()
        )
        part = UploadPartMediaRequest.builder().request_body(body).build()
        response = await asyncio.to_thread(desk.media.upload_part, part)
        assert response.success(), (response.code, response.msg)
    body = UploadFinishMediaRequestBody.builder().upload_id(plan.upload_id).block_num(2).build()
    request = UploadFinishMediaRequest.builder().request_body(body).build()
    token = (await desk.ask(desk.media.upload_finish, request)).file_token
    response = await asyncio.to_thread(desk.media.download, DownloadMediaRequest.builder().file_token(token).build())
    assert response.file.read() == b"".join(blocks)
    request = BatchGetTmpDownloadUrlMediaRequest.builder().file_tokens([token]).build()
    [link] = (await desk.ask(desk.media.batch_get_tmp_download_url, request)).tmp_download_urls
    assert link.tmp_download_url.startswith(desk.sandbox.url)
