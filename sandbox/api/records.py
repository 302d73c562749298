"""The open API of Bitable's records, single, in batches and searched (FEISHU.md §5.1, §5.5, §5.6)."""

from __future__ import annotations

from typing import Any

import orjson

from ..bitable.bases import Bases
from ..bitable.kinds import People, Terms
from ..bitable.refusals import refuse
from ..bitable.search import Pages, Query, show
from ..bitable.table import Table
from ..endpoint import Call, Endpoint
from ..reply import ApiError

RECORDS = "/open-apis/bitable/v1/apps/{app_token}/tables/{table_id}/records"
RECORD = RECORDS + "/{record_id}"
WRITTEN_AT_ONCE = 1_000
DELETED_AT_ONCE = 500
FETCHED_AT_ONCE = 100
_ID_TYPES = ("open_id", "union_id", "user_id")


def endpoints(bases: Bases, people: People) -> list[Endpoint]:
    """The operations on records."""
    return _Records(bases, people).endpoints()


class _Records:
    def __init__(self, bases: Bases, people: People) -> None:
        self._bases = bases
        self._people = people
        self._pages = Pages()

    def endpoints(self) -> list[Endpoint]:
        def row(name: str, method: str, path: str, answer: Any, scope: str, per_second: int) -> Endpoint:
            scopes: tuple[str, ...] = ("bitable:app", f"base:record:{scope}")
            if scope in ("read", "retrieve"):
                scopes = ("bitable:app", "bitable:app:readonly", f"base:record:{scope}")
            # The windows of all record operations are per second; a minute of them has no limit of its own.
            per_minute = per_second * 60
            return Endpoint(f"bitable.v1.appTableRecord.{name}", method, path, answer, scopes, per_second, per_minute)

        return [
            row("create", "POST", RECORDS, self._create, "create", 50),
            row("list", "GET", RECORDS, self._list, "read", 20),
            row("batchCreate", "POST", f"{RECORDS}/batch_create", self._batch_create, "create", 50),
            row("batchUpdate", "POST", f"{RECORDS}/batch_update", self._batch_update, "update", 50),
            row("batchDelete", "POST", f"{RECORDS}/batch_delete", self._batch_delete, "delete", 50),
            row("batchGet", "POST", f"{RECORDS}/batch_get", self._batch_get, "retrieve", 20),
            row("search", "POST", f"{RECORDS}/search", self._search, "retrieve", 20),
            row("get", "GET", RECORD, self._get, "read", 20),
            row("update", "PUT", RECORD, self._update, "update", 50),
            row("delete", "DELETE", RECORD, self._delete, "delete", 50),
        ]

    def _table(self, call: Call) -> Table:
        return self._bases.find(call.path["app_token"]).table(call.path["table_id"])

    def _terms(self, call: Call, id_type: str = "") -> Terms:
        id_type = id_type or call.text("user_id_type", "open_id")
        if id_type not in _ID_TYPES:
            violation = {"field": "user_id_type", "value": id_type, "description": f"one of {', '.join(_ID_TYPES)}"}
            raise ApiError(99992402, "field validation failed", error={"field_violations": [violation]})
        return Terms(self._people, id_type, str(call.request.url.origin()))

    # Writing.

    async def _create(self, call: Call) -> dict[str, Any]:
        table, row = self._table(call), call.body.get("fields")
        [record] = await self._create_all(call, table, [row])
        return {"record": record}

    async def _batch_create(self, call: Call) -> dict[str, Any]:
        entries = _entries(call, "records", WRITTEN_AT_ONCE)
        rows = [entry.get("fields") if isinstance(entry, dict) else None for entry in entries]
        return {"records": await self._create_all(call, self._table(call), rows)}

    async def _create_all(self, call: Call, table: Table, rows: list[Any]) -> list[dict[str, Any]]:
        terms = self._terms(call)
        ids = await _write(call, table, lambda: table.create(rows, terms))
        return [_written(table, record_id, row) for record_id, row in zip(ids, rows, strict=True)]

    async def _update(self, call: Call) -> dict[str, Any]:
        table, change = self._table(call), (call.path["record_id"], call.body.get("fields"))
        [record] = await self._update_all(call, table, [change])
        return {"record": record}

    async def _batch_update(self, call: Call) -> dict[str, Any]:
        entries = _entries(call, "records", WRITTEN_AT_ONCE)
        if not all(isinstance(entry, dict) for entry in entries):
            raise refuse(1254001, "records")
        changes = [(entry.get("record_id"), entry.get("fields")) for entry in entries]
        return {"records": await self._update_all(call, self._table(call), changes)}

    async def _update_all(self, call: Call, table: Table, changes: list[tuple[Any, Any]]) -> list[dict[str, Any]]:
        terms = self._terms(call)
        ids = await _write(call, table, lambda: table.update(changes, terms))
        return [_written(table, record_id, row) for record_id, (_, row) in zip(ids, changes, strict=True)]

    async def _delete(self, call: Call) -> dict[str, Any]:
        table, record_id = self._table(call), call.path["record_id"]
        await _write(call, table, lambda: table.delete([record_id]))
        return {"deleted": True, "record_id": record_id}

    async def _batch_delete(self, call: Call) -> dict[str, Any]:
        table, asked = self._table(call), _entries(call, "records", DELETED_AT_ONCE)
        ids = await _write(call, table, lambda: table.delete(asked))
        return {"records": [{"deleted": True, "record_id": record_id} for record_id in ids]}

    # Reading.

    async def _get(self, call: Call) -> dict[str, Any]:
        table, terms = self._table(call), self._terms(call)
        query = Query.parse({"automatic_fields": call.text("automatic_fields") == "true"}, table, terms)
        return {"record": show(table.record(call.path["record_id"]), table, terms, query)}

    async def _batch_get(self, call: Call) -> dict[str, Any]:
        table, asked = self._table(call), _entries(call, "record_ids", FETCHED_AT_ONCE)
        terms = self._terms(call, _text(call.body, "user_id_type"))
        query = Query.parse({"automatic_fields": call.body.get("automatic_fields")}, table, terms)
        if not all(isinstance(record_id, str) and record_id.startswith("rec") for record_id in asked):
            raise refuse(1254006, "record_ids")
        ids = list(dict.fromkeys(asked))
        records = [show(table.records[one], table, terms, query) for one in ids if one in table.records]
        if call.body.get("with_shared_url") is True:
            for record in records:
                record["shared_url"] = f"https://example.feishu.cn/record/{record['record_id']}"
        absent = [one for one in ids if one not in table.records]
        return {"records": records, "forbidden_record_ids": [], "absent_record_ids": absent}

    async def _search(self, call: Call) -> dict[str, Any]:
        return self._found(call, call.body)

    async def _list(self, call: Call) -> dict[str, Any]:
        """The older way to search. Its filter and sort are formulas, which the sandbox does not read: 1254018, 1254016.

        ``field_names`` is a JSON array in the query; the answer has the read form, as search has.
        """
        if call.text("filter"):
            raise refuse(1254018, "filter")
        if call.text("sort"):
            raise refuse(1254016, "sort")
        body: dict[str, Any] = {
            "view_id": call.text("view_id"),
            "automatic_fields": call.text("automatic_fields") == "true",
        }
        if names := call.text("field_names"):
            try:
                body["field_names"] = orjson.loads(names)
            except orjson.JSONDecodeError:
                raise refuse(1254024, "field_names") from None
        answer = self._found(call, body)
        for record in answer["items"]:
            record["id"] = record["record_id"]
        return answer

    def _found(self, call: Call, body: dict[str, Any]) -> dict[str, Any]:
        table, terms = self._table(call), self._terms(call)
        size = call.page_size(most=500, code=1254011)
        query = Query.parse(body, table, terms)
        asked = [body.get("filter"), body.get("sort"), terms.id_type]
        records, total, token = self._pages.page(table, query, asked, size, call.text("page_token"))
        shown = [show(record, table, terms, query) for record in records]
        return {"has_more": token != "", "page_token": token, "total": total, "items": shown}


async def _write(call: Call, table: Table, change: Any) -> Any:
    return await table.gate.write(
        change,
        client_token=call.text("client_token"),
        request=[call.request.method, call.request.path, call.body],
        ignore_consistency_check=call.text("ignore_consistency_check") == "true",
    )


def _written(table: Table, record_id: str, row: dict[str, Any]) -> dict[str, Any]:
    return {"fields": table.echo(row), "id": record_id, "record_id": record_id}


def _entries(call: Call, key: str, most: int) -> list[Any]:
    """The list ``key`` of the body. Raises 1254001 (no list), 1254007 (empty) and 1254104 (more than ``most``)."""
    entries = call.body.get(key)
    if not isinstance(entries, list):
        raise refuse(1254001, key)
    if not entries:
        raise refuse(1254007, key)
    if len(entries) > most:
        raise refuse(1254104, f"{key}: {len(entries)} > {most}")
    return entries


def _text(body: dict[str, Any], key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str | None):
        raise refuse(1254001, key)
    return value or ""
