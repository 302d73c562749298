"""What is in messages: downloads of every size, those that fail, and the children of merged forwards (FEISHU.md §4)."""

from __future__ import annotations

import hashlib
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from aiohttp import ClientPayloadError
from sandbox_client import Client, running

from sandbox.config import SandboxConfig
from sandbox.scenario.act import Forwarded, Mention, Resource, Say

MB = 1 << 20


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with running(SandboxConfig(scenario="quiet", rate_limits=False)) as client:
        await client.call("GET", "/im/v1/chats")  # Logs in.
        yield client


def say(client: Client, resource: Resource, *, type_: str = "file", **more: Any) -> str:
    """The id of a message that holds the resource."""
    key = "image_key" if resource.kind == "image" else "file_key"
    message = f"om_{len(client.sandbox.world.messages)}"
    content = {key: resource.key, "file_name": resource.name}
    sender = client.people[0].open_id
    client.sandbox.world.play(
        Say(client.sandbox.world.now(), client.chat_id, message, sender, type_, content, resources=(resource,), **more)
    )
    return message


async def download(client: Client, message: str, key: str, kind: str = "file") -> tuple[int, int, str, dict[str, str]]:
    """Status (or code), size, digest and headers."""
    url = f"{client.sandbox.url}/open-apis/im/v1/messages/{message}/resources/{key}"
    headers = {"Authorization": f"Bearer {client.token}"}
    async with client.session.get(url, params={"type": kind}, headers=headers) as answer:
        if answer.status != 200:
            return (await answer.json())["code"], 0, "", {}
        size, digest = 0, hashlib.sha256()
        async for chunk in answer.content.iter_chunked(MB):
            size += len(chunk)
            digest.update(chunk)
        return answer.status, size, digest.hexdigest(), dict(answer.headers)


async def test_a_file_of_25_mb_is_streamed_and_always_the_same(client: Client) -> None:
    file = Resource("file_v3_big", "报告.zip", "file", 25 * MB, 1)
    message = say(client, file)
    tracemalloc.start()
    try:
        status, size, digest, headers = await download(client, message, file.key)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (status, size) == (200, 25 * MB)
    assert peak < 12 * MB, "it is never whole in memory"
    assert headers["Content-Length"] == str(25 * MB)
    assert headers["Content-Disposition"].startswith("attachment; filename*=UTF-8''")
    expected = hashlib.sha256()
    for chunk in file.chunks():
        expected.update(chunk)
    assert digest == expected.hexdigest()


async def test_more_than_100_mb_is_refused(client: Client) -> None:
    for size, code in ((150 * MB, 234037), (100 * MB + 1, 234037)):
        file = Resource(f"file_v3_{size}", "录屏.mov", "file", size, 1)
        assert (await download(client, say(client, file), file.key))[0] == code


@pytest.mark.parametrize("type_", ["sticker", "folder", "merge_forward", "interactive"])
async def test_some_types_have_nothing_to_download(client: Client, type_: str) -> None:
    file = Resource("file_v3_a", "a", "file", 10, 1)
    assert (await download(client, say(client, file, type_=type_), file.key))[0] == 234043


async def test_a_key_with_nothing_behind_it_is_gone(client: Client) -> None:
    message = client.say(type="file", content={"file_key": "file_v3_gone", "file_name": "旧.xlsx"})
    assert (await download(client, message.message_id, "file_v3_gone"))[0] == 234003


async def test_a_download_fails_as_often_as_told(client: Client) -> None:
    file = Resource("file_v3_a", "a.bin", "file", 1000, 1)
    message = say(client, file)
    await client.control("POST", "downloads", {"key": file.key, "code": 234003, "times": 2})
    assert [(await download(client, message, file.key))[0] for _ in range(3)] == [234003, 234003, 200]
    await client.control("POST", "downloads", {"key": file.key, "code": 234038})
    assert [(await download(client, message, file.key))[0] for _ in range(3)] == [234038] * 3
    await client.control("POST", "downloads", {"key": file.key})
    assert (await download(client, message, file.key))[0] == 200
    await client.control("POST", "downloads", {"code": 234003})
    assert client.status == 400


async def test_a_download_is_cut_after_as_many_bytes_as_told(client: Client) -> None:
    file = Resource("file_v3_a", "a.bin", "file", 5 * MB, 1)
    message = say(client, file)
    await client.control("POST", "downloads", {"key": file.key, "after": 2 * MB, "times": 1})
    with pytest.raises(ClientPayloadError):
        await download(client, message, file.key)
    assert (await download(client, message, file.key))[:2] == (200, 5 * MB)


MERGED = {"content": "Merged and Forwarded Message"}


def forward(client: Client) -> tuple[Forwarded, ...]:
    li, wang = (person.open_id for person in client.people[:2])
    mentions = (Mention("@_user_1", wang, client.people[1].name),)
    return (
        Forwarded("om_c1", 1_000, "oc_elsewhere", li, "text", {"text": "@_user_1 好"}, mentions),
        Forwarded("om_c2", 2_000, "oc_elsewhere", wang, "merge_forward", MERGED),
        Forwarded("om_c3", 3_000, "oc_elsewhere", wang, "image", {"image_key": "img_v3_c"}, upper="om_c2"),
    )


async def test_a_merged_forward_is_read_with_what_it_holds(client: Client) -> None:
    world = client.sandbox.world
    said = Say(world.now(), client.chat_id, "om_f", client.people[0].open_id, "merge_forward", MERGED,
               forwarded=forward(client))  # fmt: skip
    world.play(said)
    wrapper, *children = (await client.data("GET", "/im/v1/messages/om_f"))["items"]
    assert (wrapper["message_id"], wrapper["body"]["content"]) == ("om_f", "Merged and Forwarded Message")
    assert "upper_message_id" not in wrapper
    assert [(each["message_id"], each["upper_message_id"]) for each in children] == [
        ("om_c1", "om_f"),
        ("om_c2", "om_f"),
        ("om_c3", "om_c2"),
    ]
    first, inner, _ = children
    assert orjson.loads(first["body"]["content"]) == {"text": "@_user_1 好"}
    assert first["mentions"][0]["id"] == client.people[1].open_id
    assert (first["chat_id"], first["create_time"]) == ("oc_elsewhere", "1000")
    assert first["sender"]["id"] == client.people[0].open_id
    assert inner["body"]["content"] == "Merged and Forwarded Message"
    query = {"container_id_type": "chat", "container_id": client.chat_id}
    listed = await client.data("GET", "/im/v1/messages", query=query)
    assert [item["message_id"] for item in listed["items"]] == ["om_f"], "the history has the wrapper alone"
    assert (await download(client, "om_c3", "img_v3_c", "image"))[0] == 234043
    world.recall(world.message("om_f"), client.people[0].open_id)
    assert len((await client.data("GET", "/im/v1/messages/om_f"))["items"]) == 1


async def test_a_forward_can_be_played_by_hand(client: Client) -> None:
    act = {
        "kind": "say", "chat": client.chat_id, "message": "om_f", "sender": client.people[0].open_id,
        "type": "merge_forward", "content": MERGED,
        "forwarded": [{"message": "om_c1", "at": 1, "chat": "oc_1", "sender": client.people[1].open_id,
                       "type": "text", "content": {"text": "好"}}],
    }  # fmt: skip
    assert await client.control("POST", "acts", act) == {"played": 1}
    assert len((await client.data("GET", "/im/v1/messages/om_f"))["items"]) == 2


async def test_an_edit_shows_in_the_history(client: Client) -> None:
    message = client.say(at=1_700_000_000_000)
    client.sandbox.world.edit(message, '{"text":"改"}', at=1_700_000_060_000)
    item = (await client.data("GET", f"/im/v1/messages/{message.message_id}"))["items"][0]
    assert item["updated"]
    assert int(item["update_time"]) > int(item["create_time"])
