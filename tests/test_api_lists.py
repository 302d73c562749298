"""Lists that the platform answers with, when they are not what they should be."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest

from core.errors import Unreachable
from core.feishu import application, chats, contact
from core.feishu.bases import RemoteBase
from core.feishu.bitable import RemoteTable
from core.feishu.transport import Api


class Answering:
    """Answers every call with the same ``data``."""

    def __init__(self, data: dict[str, Any]) -> None:
        self._data = data

    async def sleep(self, _: float) -> None:
        return None

    async def call(self, *_: Any, **__: Any) -> dict[str, Any]:
        return self._data


async def _records(api: Api) -> list[Any]:
    return [page async for page in RemoteTable(api, "b", "t").records(["a"])]


LISTS: dict[str, tuple[Callable[[Api], Awaitable[Any]], str, dict[str, Any], Any]] = {
    "groups": (chats.groups, "items", {"chat_id": "oc_1"}, ("oc_1",)),
    "scopes": (application.granted, "scopes", {"scope_name": "im:chat", "grant_status": 1}, {"im:chat"}),
    "people": (lambda api: contact.names(api, ["ou_1"]), "items", {"open_id": "ou_1", "name": "李"}, {"ou_1": "李"}),
    "tables": (lambda api: RemoteBase(api, "b").tables(), "items", {"table_id": "t", "name": "n"}, {"t": "n"}),
    "records": (_records, "items", {"record_id": "r"}, [[("r", {})]]),
    "created records": (
        lambda api: RemoteTable(api, "b", "t").create("token", b"{}"),
        "records",
        {"record_id": "r"},
        ["r"],
    ),
    "fields": (lambda api: RemoteTable(api, "b", "t").fields(), "items", {"field_name": "a", "type": 1}, None),
    "a new base": (lambda api: RemoteBase.create(api, "n", "", "UTC"), "app", {"app_token": "b"}, None),
}


@pytest.mark.parametrize("name", LISTS)
async def test_entries_that_lack_something_are_an_error_that_says_so(name: str) -> None:
    ask, key, good, found = LISTS[name]
    answer = await ask(_api({key: good if key == "app" else [good]}))
    assert found is None or answer == found
    for wrong in ({}, 7, [good | {next(iter(good)): 1}, 7], "ab", [[]], [{}]):
        with pytest.raises(Unreachable, match="the answer is no list of"):
            await ask(_api({key: [wrong] if wrong == {} else wrong}))


def _api(data: dict[str, Any]) -> Api:
    return cast("Api", Answering(data))
