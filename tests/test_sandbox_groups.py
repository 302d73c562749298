"""The sandbox's reactions, pins, files, chats, people and scopes as FEISHU.md §4.3–4.6, §7 and §8 describe them."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from aiohttp import FormData
from sandbox_client import Client, running

from sandbox.config import SandboxConfig
from sandbox.people import email

MESSAGES = "/im/v1/messages"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with running(SandboxConfig(scenario="quiet", rate_limits=False)) as client:
        yield client


class TestReactions:
    async def test_put_on_listed_and_taken_off(self, client: Client) -> None:
        message, person = client.say(), client.people[1]
        path = f"{MESSAGES}/{message.message_id}/reactions"
        client.sandbox.world.react(message, person.open_id, "OK")
        body = {"reaction_type": {"emoji_type": "DONE"}}
        made = await client.data("POST", path, body=body)
        assert made["operator"] == {"operator_id": client.sandbox.world.app.app_id, "operator_type": "app"}
        assert (await client.data("POST", path, body=body))["reaction_id"] == made["reaction_id"]
        listed = await client.data("GET", path, query={"user_id_type": "union_id"})
        assert [item["operator"]["operator_id"] for item in listed["items"]] == [
            person.union_id,
            client.sandbox.world.app.app_id,
        ]
        only = (await client.data("GET", path, query={"reaction_type": "OK"}))["items"]
        assert [item["reaction_type"]["emoji_type"] for item in only] == ["OK"]
        assert await client.code("DELETE", f"{path}/{only[0]['reaction_id']}") == 231007
        assert await client.code("DELETE", f"{path}/{made['reaction_id']}") == 0
        assert await client.code("DELETE", f"{path}/{made['reaction_id']}") == 231010

    async def test_pages(self, client: Client) -> None:
        message = client.say()
        for number in range(5):
            client.sandbox.world.react(message, client.people[0].open_id, f"E{number}")
        path = f"{MESSAGES}/{message.message_id}/reactions"
        first = await client.data("GET", path, query={"page_size": "3"})
        second = await client.data("GET", path, query={"page_size": "3", "page_token": first["page_token"]})
        assert [len(first["items"]), len(second["items"]), second["has_more"]] == [3, 2, False]

    async def test_failures(self, client: Client) -> None:
        message = client.say()
        path = f"{MESSAGES}/{message.message_id}/reactions"
        assert await client.code("POST", path, body={"reaction_type": {"emoji_type": "没有"}}) == 231001
        assert await client.code("POST", path, body={}) == 231001
        assert await client.code("GET", f"{MESSAGES}/om_unknown/reactions") == 231003
        client.sandbox.world.recall(message, message.sender)
        assert await client.code("GET", path) == 231018


class TestPins:
    async def test_pinned_listed_newest_first_and_unpinned(self, client: Client) -> None:
        world, chat = client.sandbox.world, client.chat_id
        old, new = client.say(), client.say()
        person = client.people[1]
        world.pin(old, person.open_id, at=1000)
        world.pin(new, person.open_id, at=2000)
        listed = (await client.data("GET", "/im/v1/pins", query={"chat_id": chat}))["items"]
        assert [item["message_id"] for item in listed] == [new.message_id, old.message_id]
        assert listed[0]["operator_id"] == person.open_id
        query = {"chat_id": chat, "start_time": "1500", "end_time": "2000"}
        assert len((await client.data("GET", "/im/v1/pins", query=query))["items"]) == 1
        pin = (await client.data("POST", "/im/v1/pins", body={"message_id": old.message_id}))["pin"]
        assert pin["create_time"] == "1000", "the pin there is"
        assert await client.data("DELETE", f"/im/v1/pins/{old.message_id}") == {}
        assert await client.data("DELETE", f"/im/v1/pins/{old.message_id}") == {}
        pin = (await client.data("POST", "/im/v1/pins", body={"message_id": old.message_id}))["pin"]
        assert (pin["operator_id"], pin["operator_id_type"]) == (world.app.app_id, "app_id")

    async def test_failures(self, client: Client) -> None:
        assert await client.code("GET", "/im/v1/pins", query={"chat_id": "oc_unknown"}) == 230045
        assert await client.code("POST", "/im/v1/pins", body={"message_id": "om_unknown"}) == 99992354
        query = {"chat_id": client.chat_id, "start_time": "soon"}
        assert await client.code("GET", "/im/v1/pins", query=query) == 230001
        message = client.say()
        client.sandbox.world.recall(message, message.sender)
        assert await client.code("POST", "/im/v1/pins", body={"message_id": message.message_id}) == 230011

    async def test_five_writes_a_second_for_one_message(self) -> None:
        async with running() as client:
            body = {"message_id": client.say().message_id}
            codes = [await client.code("POST", "/im/v1/pins", body=body) for _ in range(6)]
        assert codes == [0, 0, 0, 0, 0, 230047]


class TestResources:
    async def upload(self, client: Client, what: str, data: bytes, **fields: str) -> dict[str, Any]:
        form = FormData()
        form.add_field(what, io.BytesIO(data), filename="x")  # The file may come before the fields that describe it.
        for name, value in fields.items():
            form.add_field(name, value)
        client.token = client.token or (await client.log_in())["tenant_access_token"]
        headers = {"Authorization": f"Bearer {client.token}"}
        url = f"{client.sandbox.url}/open-apis/im/v1/{what}s"
        async with client.session.post(url, data=form, headers=headers) as answer:
            return orjson.loads(await answer.read())

    async def download(self, client: Client, path: str, **query: str) -> tuple[int, bytes, str]:
        headers = {"Authorization": f"Bearer {client.token or (await client.log_in())['tenant_access_token']}"}
        url = f"{client.sandbox.url}/open-apis/im/v1/{path}"
        async with client.session.get(url, headers=headers, params=query) as answer:
            return answer.status, await answer.read(), answer.headers.get("Content-Disposition", "")

    async def test_an_upload_comes_back_alone_and_in_a_message(self, client: Client) -> None:
        key = (await self.upload(client, "file", b"x" * 100_000, file_type="pdf", file_name="周报.pdf"))["data"][
            "file_key"
        ]
        message = await client.sent({"file_key": key}, "file")
        for path, query in (
            (f"files/{key}", {}),
            (f"messages/{message['message_id']}/resources/{key}", {"type": "file"}),
        ):
            status, data, disposition = await self.download(client, path, **query)
            assert (status, data) == (200, b"x" * 100_000)
            assert disposition.startswith("attachment; filename")
        image = (await self.upload(client, "image", PNG, image_type="message"))["data"]["image_key"]
        assert image.startswith("img_v3_")
        assert (await self.download(client, f"images/{image}"))[1] == PNG

    async def test_what_cannot_be_uploaded(self, client: Client) -> None:
        assert (await self.upload(client, "image", b"", image_type="message"))["code"] == 234010
        assert (await self.upload(client, "image", b"text", image_type="message"))["code"] == 234011
        assert (await self.upload(client, "image", bytes((10 << 20) + 1), image_type="message"))["code"] == 234006
        assert (await self.upload(client, "image", PNG, image_type="poster"))["code"] == 234001
        assert (await self.upload(client, "file", b"x", file_type="exe", file_name="x"))["code"] == 234001
        assert (await self.upload(client, "file", b"x", file_type="pdf"))["code"] == 234001
        assert await client.code("POST", "/im/v1/images", body={}) == 234001

    async def test_a_person_s_image_comes_from_its_message_only(self, client: Client) -> None:
        person, chat = client.people[0], client.chat_id
        act = {
            "kind": "say",
            "chat": chat,
            "message": f"om_{'a' * 32}",
            "sender": person.open_id,
            "type": "image",
            "content": {"image_key": "img_v3_a"},
            "resources": [{"key": "img_v3_a", "name": "a.png", "kind": "image", "size": 5000, "seed": 7}],
        }
        assert await client.control("POST", "acts", act) == {"played": 1}
        path = f"messages/om_{'a' * 32}/resources/img_v3_a"
        status, data, _ = await self.download(client, path, type="image")
        assert (status, len(data), data[:4]) == (200, 5000, b"\x89PNG")
        assert (await self.download(client, path, type="image"))[1] == data
        assert orjson.loads((await self.download(client, path, type="file"))[1])["code"] == 234001
        assert orjson.loads((await self.download(client, path, type="song"))[1])["code"] == 234001
        assert orjson.loads((await self.download(client, "images/img_v3_a"))[1])["code"] == 234008
        other = f"messages/{client.say().message_id}/resources/img_v3_a"
        assert orjson.loads((await self.download(client, other, type="image"))[1])["code"] == 234003
        sticker = client.say(type="sticker", content={"file_key": "img_v3_a"})
        path = f"messages/{sticker.message_id}/resources/img_v3_a"
        assert orjson.loads((await self.download(client, path, type="image"))[1])["code"] == 234043


class TestChats:
    async def test_list_get_and_members(self, client: Client) -> None:
        chat = client.chat_id
        listed = await client.data("GET", "/im/v1/chats")
        assert [item["chat_id"] for item in listed["items"]] == [chat]
        got = await client.data("GET", f"/im/v1/chats/{chat}", query={"user_id_type": "union_id"})
        assert (got["user_count"], got["bot_count"], got["chat_mode"]) == ("4", "1", "group")
        assert got["owner_id"] == client.people[0].union_id
        path = f"/im/v1/chats/{chat}/members"
        first = await client.data("GET", path, query={"page_size": "3", "member_id_type": "user_id"})
        assert [item["member_id"] for item in first["items"]] == [person.user_id for person in client.people[:3]]
        assert (first["member_total"], first["has_more"]) == (4, True)
        assert await client.data("GET", f"{path}/is_in_chat") == {"is_in_chat": True}
        assert await client.code("GET", "/im/v1/chats/oc_unknown") == 232006
        assert await client.code("GET", "/im/v1/chats/oc_unknown/members/is_in_chat") == 232006
        client.sandbox.world.chats[chat].has_bot = False
        assert await client.code("GET", path) == 232011
        assert (await client.data("GET", "/im/v1/chats"))["items"] == []

    async def test_private_chats_are_not_listed_and_order_can_be_by_activity(self, client: Client) -> None:
        client.sandbox.world.private_chat(client.people[0])
        query = {"sort_type": "ByActiveTimeDesc"}
        assert len((await client.data("GET", "/im/v1/chats", query=query))["items"]) == 1
        assert await client.code("GET", "/im/v1/chats", query={"sort_type": "x"}) == 232001

    async def test_the_bot_knows_itself(self, client: Client) -> None:
        answer = await client.call("GET", "/bot/v3/info")
        assert answer["bot"]["open_id"] == client.sandbox.world.app.open_id
        assert "data" not in answer


class TestContact:
    async def test_one_person_by_each_id(self, client: Client) -> None:
        person = client.people[0]
        for id_type in ("open_id", "union_id", "user_id"):
            path = f"/contact/v3/users/{getattr(person, id_type)}"
            user = (await client.data("GET", path, query={"user_id_type": id_type}))["user"]
            assert (user["name"], user["open_id"]) == (person.name, person.open_id)
        assert await client.code("GET", f"/contact/v3/users/{person.union_id}") == 41050
        assert await client.code("GET", "/contact/v3/users/x", query={"user_id_type": "x"}) == 40001

    async def test_a_batch_leaves_out_who_is_not_there(self, client: Client) -> None:
        ids = [person.open_id for person in client.people]
        query = [("user_ids", each) for each in ["ou_unknown", *ids]]
        items = (await client.data("GET", "/contact/v3/users/batch", query=query))["items"]
        assert [item["open_id"] for item in items] == ids
        query = [("user_ids", f"ou_{number}") for number in range(51)]
        assert await client.code("GET", "/contact/v3/users/batch", query=query) == 40001
        assert await client.code("GET", "/contact/v3/users/batch") == 40001

    async def test_fields_are_gated_by_their_scope(self, client: Client) -> None:
        person, scopes = client.people[0], client.sandbox.world.app.scopes
        scopes -= {"contact:user.base:readonly", "contact:user.employee_id:readonly", "contact:user.email:readonly"}
        user = (await client.data("GET", f"/contact/v3/users/{person.open_id}"))["user"]
        assert not user.keys() & {"name", "user_id", "email"}

    async def test_names_of_ten(self, client: Client) -> None:
        ids = [person.open_id for person in client.people]
        users = (await client.data("POST", "/contact/v3/users/basic_batch", body={"user_ids": ids}))["users"]
        assert [user["name"] for user in users] == [person.name for person in client.people]
        for wrong in ([], [f"ou_{number}" for number in range(11)], [1], "ou_1"):
            assert await client.code("POST", "/contact/v3/users/basic_batch", body={"user_ids": wrong}) == 40001

    async def test_ids_behind_addresses(self, client: Client) -> None:
        person = client.people[0]
        body = {"emails": [email(person), "nobody@example.com"], "mobiles": ["+861"]}
        found = (await client.data("POST", "/contact/v3/users/batch_get_id", body=body))["user_list"]
        assert [each.get("user_id") for each in found] == [person.open_id, None, None]
        assert await client.code("POST", "/contact/v3/users/batch_get_id", body={}) == 40001


class TestApplication:
    async def test_scopes_and_their_state(self, client: Client) -> None:
        await client.control("PATCH", "scopes", {"revoke": ["im:message.group_msg"], "grant": ["made:up"]})
        scopes = (await client.data("GET", "/application/v6/scopes"))["scopes"]
        status = {each["scope_name"]: each["grant_status"] for each in scopes}
        assert (status["im:message.group_msg"], status["im:message"], status["made:up"]) == (2, 1, 1)

    async def test_applying_once_is_enough(self, client: Client) -> None:
        assert [await client.code("POST", "/application/v6/scopes/apply") for _ in range(2)] == [0, 212004]
        client.sandbox.world.app.scopes.update(
            each["scope_name"] for each in (await client.data("GET", "/application/v6/scopes"))["scopes"]
        )
        assert await client.code("POST", "/application/v6/scopes/apply") == 212002

    async def test_connections_are_counted(self, client: Client) -> None:
        async with await client.connect():
            assert await client.data("GET", "/event/v1/connection") == {"online_instance_cnt": 1}
