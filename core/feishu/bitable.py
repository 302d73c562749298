"""A Bitable table: its columns, and its records, read, created, updated and deleted in batches (FEISHU.md §5).

A write that may simply be repeated is repeated here; what needs a decision is raised.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tenacity import AsyncRetrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from ..errors import ApiError
from .pages import entries, pages
from .transport import Api, Operation

MOST_WRITTEN: Final = 1000
MOST_DELETED: Final = 500
MOST_READ: Final = 500
MOST_GOT: Final = 100

_APP: Final = "/open-apis/bitable/v1/apps/{app_token}/tables/{table_id}"
_NAME: Final = "bitable.v1.appTable"

FIELDS: Final = Operation(f"{_NAME}Field.list", "GET", f"{_APP}/fields", 20)
SEARCH: Final = Operation(f"{_NAME}Record.search", "POST", f"{_APP}/records/search", 20)
ADD_FIELD: Final = Operation(f"{_NAME}Field.create", "POST", f"{_APP}/fields", 10)
CREATE: Final = Operation(f"{_NAME}Record.batchCreate", "POST", f"{_APP}/records/batch_create")
UPDATE: Final = Operation(f"{_NAME}Record.batchUpdate", "POST", f"{_APP}/records/batch_update")
DELETE: Final = Operation(f"{_NAME}Record.batchDelete", "POST", f"{_APP}/records/batch_delete")
GET: Final = Operation(f"{_NAME}Record.batchGet", "POST", f"{_APP}/records/batch_get", 20)

REPEATABLE: Final = frozenset(
    {1254002, 1254036, 1254112, 1254290, 1254291, 1254607, 1255001, 1255002, 1255003, 1255004, 1255005, 1255040}
)
RECORD_MISSING: Final = frozenset({1254043, 1254006})
TOKEN_REUSED: Final = frozenset({1254608, 1255006})
TOO_MANY_RECORDS: Final = 1254104
DATA_NOT_CHANGED: Final = 1254606
NOT_FOUND: Final = frozenset(range(1254040, 1254046))
"""The base, the table, a column: also said by a replica that does not know yet what another one has done."""
REFUSALS: Final = frozenset(range(1254000, 1255000)) - REPEATABLE - TOKEN_REUSED - NOT_FOUND - {DATA_NOT_CHANGED}
"""The platform has looked at the request and does none of it; of other errors nobody knows (FEISHU.md §5.7)."""
NAME_TAKEN: Final = frozenset({1254013, 1254014})
CATCHING_UP: Final = 3.0
"""Seconds after which what was written is shown by all of the platform (FEISHU.md §5.2: replicas may lag)."""


@dataclass(frozen=True, slots=True)
class Field:
    """A column as it is in Bitable."""

    name: str
    type: int
    options: tuple[str, ...] = ()
    """Of a select."""


class RemoteTable:
    """One table; calls are made one after another, as the platform demands of writers."""

    def __init__(self, api: Api, app_token: str, table_id: str) -> None:
        self._api = api
        self._path = {"app_token": app_token, "table_id": table_id}

    async def fields(self) -> list[Field]:
        """Every column."""
        fields: list[Field] = []
        async for data in pages(self._call, FIELDS, {"page_size": "100"}):
            fields += map(_field, entries(FIELDS, data.get("items"), "field_name", "type"))
        return fields

    async def add_field(self, field: Mapping[str, Any]) -> None:
        """Add a column; one of that name that is there already is left as it is."""
        try:
            await self._call(ADD_FIELD, query={"client_token": str(uuid.uuid4())}, body=field)
        except ApiError as error:
            if error.code not in NAME_TAKEN:
                raise

    async def records(self, field_names: Sequence[str]) -> AsyncIterator[list[tuple[str, dict[str, Any]]]]:
        """All records page by page: (record id, cells by column)."""
        query = {"user_id_type": "open_id", "page_size": str(MOST_READ)}
        async for data in pages(self._call, SEARCH, query, body={"field_names": list(field_names)}):
            items = entries(SEARCH, data.get("items"), "record_id")
            yield [(str(item["record_id"]), item.get("fields") or {}) for item in items]

    async def create(self, token: str, body: bytes) -> list[str]:
        """Create the records of ``body``; the same ``token`` with the same body never creates them twice."""
        query = {"user_id_type": "open_id", "client_token": token}
        data = await self._call(CREATE, query=query, body=body)
        return [str(record["record_id"]) for record in entries(CREATE, data.get("records"), "record_id")]

    async def update(self, records: Sequence[tuple[str, Mapping[str, Any]]]) -> None:
        """Set the cells given of existing records, at most 1000, all or none."""
        body = {"records": [{"record_id": record, "fields": fields} for record, fields in records]}
        await self._call(UPDATE, query={"user_id_type": "open_id"}, body=body)

    async def delete(self, records: Sequence[str]) -> None:
        """Delete existing records, at most 500, all or none."""
        await self._call(DELETE, body={"records": list(records)})

    async def absent(self, records: Sequence[str]) -> list[str]:
        """Which of ``records`` do not exist."""
        gone: list[str] = []
        for i in range(0, len(records), MOST_GOT):
            data = await self._call(GET, body={"record_ids": list(records[i : i + MOST_GOT])})
            gone += [str(record) for record in data.get("absent_record_ids") or ()]
        return gone

    async def caught_up(self) -> None:
        """Wait until what was written is shown everywhere, before what is missing is believed to be missing."""
        await self._api.sleep(CATCHING_UP)

    async def _call(self, operation: Operation, **request: Any) -> dict[str, Any]:
        return await repeated(self._api, operation, path=self._path, **request)


async def repeated(
    api: Api, operation: Operation, *, codes: Collection[int] = REPEATABLE, **request: Any
) -> dict[str, Any]:
    """A call that is tried again, with growing pauses, as long as it is refused with one of ``codes``."""
    retrying = AsyncRetrying(
        retry=retry_if_exception(lambda error: isinstance(error, ApiError) and error.code in codes),
        stop=stop_after_attempt(6),
        wait=wait_random_exponential(multiplier=1, min=0.5, max=20),
        sleep=api.sleep,
        reraise=True,
    )
    try:
        return await retrying(api.call, operation, **request)
    except ApiError as error:
        error.repeated |= retrying.statistics["attempt_number"] > 1
        raise


def _field(item: Mapping[str, Any]) -> Field:
    options = (item.get("property") or {}).get("options") or ()
    names = tuple(str(option.get("name", "")) for option in options if isinstance(option, dict))
    return Field(str(item["field_name"]), int(item["type"]), names)
