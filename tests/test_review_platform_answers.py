"""Odd answers of the platform, and of the disk, end in the errors that are promised; nothing of them fakes a line."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, cast

import orjson
import pytest
from aiohttp import ConnectionTimeoutError, SocketTimeoutError, web
from api_client import Sleep, client
from line import line_to
from sandbox_client import until
from served import served
from station import Station

from core.errors import ApiError, ApiFailure, ConfigurationError, StorageError, Unreachable
from core.feishu import cells, chats
from core.feishu.bases import RemoteBase
from core.feishu.bitable import RemoteTable
from core.feishu.reasons import reason_of
from core.feishu.transport import TOKEN_PATH, Api, Operation
from core.journal import Journal
from core.settings import load_settings
from core.storage.protocol import Engine
from core.table import Attachments, Number, PersonCell, PersonName, Table, Text

TOKEN = {"code": 0, "tenant_access_token": "t-1", "expire": 7200}
PROBE = Operation("probe.v1.get", "POST", "/open-apis/probe")


def given(answer: Any, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    return web.Response(body=orjson.dumps(answer), status=status, headers=headers)


@asynccontextmanager
async def platform(answer: Callable[[int], web.Response], token: Any = TOKEN) -> AsyncIterator[tuple[Api, Sleep]]:
    """A client of a platform that answers the n-th call (from 1) so."""
    asked = 0

    async def handle(request: web.Request) -> web.Response:
        nonlocal asked
        if request.path == TOKEN_PATH:
            return given(token)
        asked += 1
        return answer(asked)

    async with served(handle) as url, client(url, "cli_x", "canary-secret", quota=100) as both:
        yield both


async def test_a_handshake_that_leads_elsewhere_is_not_followed() -> None:
    async with Station() as station, Station() as elsewhere:

        async def led_away(_: web.Request) -> web.Response:
            return web.Response(status=302, headers={"Location": f"{elsewhere.url}/ws/v2"})

        station.handshakes.append(led_away)
        async with line_to(station.url) as line:
            await until(lambda: line.connected)  # With the next attempt.
            assert (elsewhere.opened, station.opened, line.connection.status().reconnects) == (0, 1, 1)


@pytest.mark.parametrize("kind", [ConnectionTimeoutError, SocketTimeoutError])
def test_what_took_too_long_is_told_without_its_address(kind: type[Exception]) -> None:
    assert "canary" not in reason_of(kind("Connection timeout to host wss://x/ws/v2?access_key=canary"))


async def test_a_rate_limit_with_an_odd_time_is_waited_for_all_the_same() -> None:
    def answer(n: int) -> web.Response:
        return (
            given({"code": 99991400, "msg": ""}, headers={"x-ogw-ratelimit-reset": "²"})
            if n == 1
            else given({"code": 0})
        )

    async with platform(answer) as (api, sleep):
        assert await api.call(PROBE) == {}
        assert len(sleep.slept) == 1


async def test_a_token_that_fits_no_header_is_none() -> None:
    async with platform(lambda n: given({"code": 0}), {**TOKEN, "tenant_access_token": "t\r\nX: y"}) as (api, _):
        with pytest.raises(Unreachable, match="no token"):
            await api.call(PROBE)


async def test_a_refusal_at_the_last_attempt_is_told_to_answer_a_repetition() -> None:
    async with platform(lambda n: given({"code": 5, "msg": "broken"}, status=500)) as (api, _):
        with pytest.raises(ApiError) as refused:
            await api.call(PROBE)
    assert refused.value.repeated


async def groups(api: Api) -> None:
    await chats.groups(api)


async def tables(api: Api) -> None:
    await RemoteBase(api, "bas").tables()


async def fields(api: Api) -> None:
    await RemoteTable(api, "bas", "tbl").fields()


async def records(api: Api) -> None:
    async for _ in RemoteTable(api, "bas", "tbl").records(["a"]):
        pass


@pytest.mark.parametrize("listing", [groups, tables, fields, records])
@pytest.mark.parametrize("page", [{"page_token": "p"}, {}, {"page_token": ""}])
async def test_pages_that_lead_nowhere_end(listing: Callable[[Api], Any], page: dict[str, str]) -> None:
    data = {"has_more": True, "items": [], **page}
    async with platform(lambda n: given({"code": 0, "data": data})) as (api, _):
        with pytest.raises(ApiFailure, match="there is said to be more"):
            await listing(api)
        assert api.ledger.used <= 3


@pytest.mark.parametrize("cell", [1, True, 1.5, "x", {"id": "ou_1"}, [None], ["x"]])
def test_a_cell_of_another_shape_is_empty(cell: Any) -> None:
    assert cells.read(PersonCell("who", "人", of="id"), cell) == ""
    assert cells.read(Attachments("files", "附件"), cell) == []


@pytest.mark.parametrize(
    "origin",
    [
        "https://open.feishu.cn:abc",
        "https://open.feishu.cn:99999",
        "https://open.feishu.cn:0",
        "https://open.feishu.cn ",
        "https://open feishu.cn",
        "http://localhost:",
    ],
)
def test_an_origin_no_network_knows_is_a_wrong_setting(origin: str) -> None:
    with pytest.raises(ConfigurationError, match="FEISHU_BASE_URL"):
        load_settings({"FEISHU_BASE_URL": origin}, needs_credentials=False)


@pytest.mark.parametrize(
    "origin", ["https://open.feishu.cn", "http://127.0.0.1:8080", "http://[::1]:80", "http://[::1]"]
)
def test_an_origin_is_taken_as_it_is(origin: str) -> None:
    assert load_settings({"FEISHU_BASE_URL": origin}, needs_credentials=False).feishu_base_url == origin


@pytest.mark.parametrize("column", [PersonName("name", "姓名", of="n"), PersonCell("who", "人", of="n")])
def test_people_are_found_by_text(column: PersonName | PersonCell) -> None:
    with pytest.raises(ValueError, match="are `of` Text columns"):
        Table("t", (Text("k", "键"), Number("n", "数"), column), ("k",), setting="BITABLE_X_TABLE_ID")


def test_two_columns_have_two_titles() -> None:
    with pytest.raises(ValueError, match="a title is given twice"):
        Table("t", (Text("k", "键"), Text("b", "键")), ("k",), setting="BITABLE_X_TABLE_ID")


class _FullOfHandles:
    """An engine that has no handle left for the thread."""

    def __init__(self, spare: int) -> None:
        self.spare = spare

    def journal(self) -> Any:
        self.spare -= 1
        if self.spare < 0:
            raise StorageError("too many open files")
        return self

    def head(self) -> int:
        return 0

    def close(self) -> None:
        pass


def test_a_journal_that_cannot_be_opened_does_not_start() -> None:
    journal = Journal(cast("Engine", _FullOfHandles(0)), clock=lambda: 0, on_fresh=lambda: None)
    with pytest.raises(StorageError, match="too many open files"):
        journal.start()
    journal.stop()


def test_a_journal_that_starts_needs_no_other_handle() -> None:
    journal = Journal(cast("Engine", _FullOfHandles(1)), clock=lambda: 0, on_fresh=lambda: None)
    journal.start()
    journal.stop()
