"""The open API of Bitable: bases, tables, fields and views here, records in ``records`` (FEISHU.md §5.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from ..bitable.bases import Base, Bases
from ..bitable.kinds import People, Terms
from ..bitable.refusals import refuse
from ..bitable.table import Table
from ..endpoint import Call, Endpoint
from . import records

APP = "/open-apis/bitable/v1/apps"
BASE = APP + "/{app_token}"
TABLES = BASE + "/tables"
TABLE = TABLES + "/{table_id}"
FIELDS = TABLE + "/fields"
FIELD = FIELDS + "/{field_id}"
VIEWS = TABLE + "/views"
_URL = "https://example.feishu.cn/base/"
_Item = TypeVar("_Item")


def endpoints(bases: Bases, people: People) -> list[Endpoint]:
    """Every Bitable operation. ``people`` finds a person by open_id, union_id or user_id, None when nobody has it."""
    return [*_Structure(bases, people).endpoints(), *records.endpoints(bases, people)]


class _Structure:
    def __init__(self, bases: Bases, people: People) -> None:
        self._bases = bases
        self._people = people

    def endpoints(self) -> list[Endpoint]:
        def row(name: str, method: str, path: str, answer: Any, scope: str, per_second: int) -> Endpoint:
            scopes = ["bitable:app", scope]
            if method == "GET":
                scopes.insert(1, "bitable:app:readonly")
            return Endpoint(f"bitable.v1.{name}", method, path, answer, tuple(scopes), per_second)

        create_base = Endpoint(
            "bitable.v1.app.create",
            "POST",
            APP,
            self._create_base,
            ("bitable:app", "base:app:create"),
            per_second=20,
            per_minute=20,
        )
        return [
            create_base,
            row("app.get", "GET", BASE, self._get_base, "base:app:read", 20),
            row("appTable.create", "POST", TABLES, self._create_table, "base:table:create", 10),
            row("appTable.list", "GET", TABLES, self._list_tables, "base:table:read", 20),
            row("appTable.batchCreate", "POST", f"{TABLES}/batch_create", self._create_tables, "base:table:create", 10),
            row("appTable.batchDelete", "POST", f"{TABLES}/batch_delete", self._delete_tables, "base:table:delete", 10),
            row("appTable.patch", "PATCH", TABLE, self._rename_table, "base:table:update", 10),
            row("appTable.delete", "DELETE", TABLE, self._delete_table, "base:table:delete", 10),
            row("appTableField.list", "GET", FIELDS, self._list_fields, "base:field:read", 20),
            row("appTableField.create", "POST", FIELDS, self._create_field, "base:field:create", 10),
            row("appTableField.update", "PUT", FIELD, self._update_field, "base:field:update", 10),
            row("appTableField.delete", "DELETE", FIELD, self._delete_field, "base:field:delete", 10),
            row("appTableView.list", "GET", VIEWS, self._list_views, "base:view:read", 20),
            row("appTableView.create", "POST", VIEWS, self._create_view, "base:view:write_only", 10),
        ]

    def _base(self, call: Call) -> Base:
        return self._bases.find(call.path["app_token"])

    def _table(self, call: Call) -> Table:
        return self._base(call).table(call.path["table_id"])

    # Bases.

    async def _create_base(self, call: Call) -> dict[str, Any]:
        given = {key: call.body.get(key) or "" for key in ("name", "folder_token", "time_zone")}
        name, folder, zone = given["name"], given["folder_token"], given["time_zone"]
        if not isinstance(name, str) or not isinstance(folder, str):
            raise refuse(1254001, "name" if not isinstance(name, str) else "folder_token")
        if zone and not _is_zone(zone):
            raise refuse(1254001, "time_zone")
        base = self._bases.create(name or "未命名多维表格", folder_token=folder, time_zone=zone)
        base.default_table_id = base.create_table("数据表").table_id
        app = {
            "app_token": base.app_token,
            "default_table_id": base.default_table_id,
            "folder_token": base.folder_token,
            "name": base.name,
            "time_zone": base.time_zone,
            "url": _URL + base.app_token,
        }
        return {"app": app}

    async def _get_base(self, call: Call) -> dict[str, Any]:
        base = self._base(call)
        app = {
            "app_token": base.app_token,
            "name": base.name,
            "revision": base.revision,
            "is_advanced": False,
            "time_zone": base.time_zone,
            "formula_type": 1,
            "advance_version": "v2",
        }
        return {"app": app}

    # Tables.

    async def _create_table(self, call: Call) -> dict[str, Any]:
        base, spec = self._base(call), call.body.get("table")
        if not isinstance(spec, dict):
            raise refuse(1254001, "table")
        given = {}
        if spec.get("fields") is not None:
            given["fields"] = spec["fields"]
        if spec.get("default_view_name") is not None:
            given["view_name"] = spec["default_view_name"]
        table = base.create_table(spec.get("name"), **given)
        return {
            "table_id": table.table_id,
            "default_view_id": next(iter(table.views)).view_id,
            "field_id_list": [field.field_id for field in table.fields],
        }

    async def _list_tables(self, call: Call) -> dict[str, Any]:
        tables = list(self._base(call).tables.values())
        page, frame = _page(call, tables, lambda table: table.table_id)
        shown = [{"table_id": table.table_id, "revision": table.revision, "name": table.name} for table in page]
        return {**frame, "items": shown}

    async def _create_tables(self, call: Call) -> dict[str, Any]:
        base, specs = self._base(call), call.body.get("tables")
        if not isinstance(specs, list) or not all(isinstance(spec, dict) for spec in specs):
            raise refuse(1254001, "tables")
        if not specs:
            raise refuse(1254007, "tables")
        created: list[str] = []
        try:
            created.extend(base.create_table(spec.get("name")).table_id for spec in specs)
        except Exception:
            base.delete_tables(created)
            raise
        return {"table_ids": created}

    async def _delete_tables(self, call: Call) -> dict[str, Any]:
        table_ids = call.body.get("table_ids")
        if not isinstance(table_ids, list):
            raise refuse(1254001, "table_ids")
        if not table_ids:
            raise refuse(1254007, "table_ids")
        self._base(call).delete_tables(table_ids)
        return {}

    async def _rename_table(self, call: Call) -> dict[str, Any]:
        table = self._table(call)
        table.base.rename_table(table, call.body.get("name"))
        return {"name": table.name}

    async def _delete_table(self, call: Call) -> dict[str, Any]:
        self._base(call).delete_tables([call.path["table_id"]])
        return {}

    # Fields.

    async def _list_fields(self, call: Call) -> dict[str, Any]:
        table = self._table(call)
        if view_id := call.text("view_id"):
            table.views.check(view_id)
        page, frame = _page(call, table.fields, lambda field: field.field_id)
        as_array = call.text("text_field_as_array") == "true"
        return {**frame, "items": [field.shown(text_field_as_array=as_array) for field in page]}

    async def _create_field(self, call: Call) -> dict[str, Any]:
        table = self._table(call)
        [field_id] = await _write(call, table, lambda: table.add_field(call.body))
        return {"field": table.field(field_id).shown()}

    async def _update_field(self, call: Call) -> dict[str, Any]:
        table, terms = self._table(call), Terms(self._people)
        field_id = call.path["field_id"]
        await _write(call, table, lambda: table.change_field(field_id, call.body, terms))
        return {"field": table.field(field_id).shown()}

    async def _delete_field(self, call: Call) -> dict[str, Any]:
        table, field_id = self._table(call), call.path["field_id"]
        await _write(call, table, lambda: table.delete_field(field_id))
        return {"field_id": field_id, "deleted": True}

    # Views.

    async def _list_views(self, call: Call) -> dict[str, Any]:
        page, frame = _page(call, list(self._table(call).views), lambda view: view.view_id)
        return {**frame, "items": [view.shown() for view in page]}

    async def _create_view(self, call: Call) -> dict[str, Any]:
        table, body = self._table(call), call.body
        view = table.views.add(body.get("view_name"), body.get("view_type") or "grid")
        table.touch()
        return {"view": view.shown()}


def _is_zone(name: object) -> bool:
    try:
        return isinstance(name, str) and ZoneInfo(name) is not None
    except (ValueError, KeyError, OSError):  # No zone's name, no such zone, a folder of zones.
        return False


async def _write(call: Call, table: Table, change: Callable[[], Sequence[str]]) -> Sequence[str]:
    return await table.gate.write(
        change, client_token=call.text("client_token"), request=[call.request.method, call.request.path, call.body]
    )


def _page(
    call: Call, items: Sequence[_Item], identify: Callable[[_Item], str]
) -> tuple[Iterable[_Item], Mapping[str, Any]]:
    """One page of ``items`` and what frames it; the token is the id of the page's last item (FEISHU.md §5.6)."""
    size = call.page_size(most=100, code=1254011)
    start = 0
    if token := call.text("page_token"):
        places = [place for place, item in enumerate(items, 1) if identify(item) == token]
        if not places:
            raise refuse(1254002, "page_token")
        start = places[0]
    page = items[start : start + size]
    frame = {
        "has_more": start + size < len(items),
        "page_token": identify(page[-1]) if page else "",
        "total": len(items),
    }
    return page, frame
