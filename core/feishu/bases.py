"""A Bitable base: made, shared, and its tables listed, created and deleted (FEISHU.md §5.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from .bitable import REPEATABLE, repeated
from .pages import entries, pages
from .transport import Api, Operation

_APPS: Final = "/open-apis/bitable/v1/apps"
_TABLES: Final = f"{_APPS}/{{app_token}}/tables"

CREATE_BASE: Final = Operation("bitable.v1.app.create", "POST", _APPS, 20, repeatable=False)
SHARE: Final = Operation(
    "drive.v1.permissionMember.create", "POST", "/open-apis/drive/v1/permissions/{app_token}/members", 1
)
"""100 a minute. Needs ``docs:permission.member:create``."""
LIST: Final = Operation("bitable.v1.appTable.list", "GET", _TABLES, 20)
CREATE: Final = Operation("bitable.v1.appTable.create", "POST", _TABLES, 10)
DELETE: Final = Operation("bitable.v1.appTable.delete", "DELETE", f"{_TABLES}/{{table_id}}", 10)

NOT_THERE: Final = frozenset({1254040, 1254041})
"""No such base or table; or not yet, where it was made a moment ago: replicas may lag (FEISHU.md §5.2)."""
NOT_DONE: Final = frozenset({1254290})
"""The refusals after which there is certainly no new base."""


class NewBase(NamedTuple):
    """A base that was just made, and the table that every new base has."""

    token: str
    default_table: str
    url: str


class RemoteBase:
    """One base; calls are made one after another."""

    def __init__(self, api: Api, token: str, *, address: str = "", fresh: bool = False) -> None:
        """``fresh``: it was made a moment ago. ``address`` is where a browser finds it, as far as that is known."""
        self._api = api
        self._codes = REPEATABLE | NOT_THERE if fresh else REPEATABLE
        self.token = token
        self.address = address

    @classmethod
    async def create(cls, api: Api, name: str, folder: str, zone: str) -> NewBase:
        """Make a base that belongs to the app. When no answer comes it is not tried again: there may be one."""
        body = {"name": name, "time_zone": zone, **({"folder_token": folder} if folder else {})}
        data = await repeated(api, CREATE_BASE, codes=NOT_DONE, body=body)
        (app,) = entries(CREATE_BASE, [data.get("app")], "app_token")
        return NewBase(str(app["app_token"]), str(app.get("default_table_id") or ""), str(app.get("url") or ""))

    async def tables(self) -> dict[str, str]:
        """The names of all tables by ID."""
        found: dict[str, str] = {}
        async for data in pages(self._call, LIST, {"page_size": "100"}):
            items = entries(LIST, data.get("items"), "table_id", "name")
            found.update({str(item["table_id"]): str(item["name"]) for item in items})
        return found

    async def create_table(self, name: str, view: str, fields: Sequence[Mapping[str, Any]]) -> str:
        """Make a table with these columns and one view, whole or not at all; its ID."""
        table = {"name": name, "default_view_name": view, "fields": list(fields)}
        (made,) = entries(CREATE, [await self._call(CREATE, body={"table": table})], "table_id")
        return str(made["table_id"])

    async def delete_table(self, table_id: str) -> None:
        """Delete a table and all that is in it."""
        await self._call(DELETE, table_id=table_id)

    async def share(self, kind: str, member: str, perm: str) -> None:
        """Give a person (``email``, ``openid``) or the members of a group (``openchat``) access to the base."""
        body = {"member_type": kind, "member_id": member, "perm": perm}
        await self._call(SHARE, query={"type": "bitable"}, body=body)

    async def _call(self, operation: Operation, *, table_id: str = "", **request: Any) -> dict[str, Any]:
        path = {"app_token": self.token, "table_id": table_id}
        return await repeated(self._api, operation, codes=self._codes, path=path, **request)
