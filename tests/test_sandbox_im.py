"""The sandbox's messaging API as FEISHU.md §4 describes it, over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from sandbox_client import Client, running

from sandbox.config import SandboxConfig
from sandbox.people import email

MESSAGES = "/im/v1/messages"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(64)


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with running(SandboxConfig(scenario="quiet", rate_limits=False)) as client:
        yield client


def content(message: dict[str, Any]) -> Any:
    return orjson.loads(message["body"]["content"])


class TestSend:
    async def test_the_answer_shows_the_message(self, client: Client) -> None:
        message = await client.sent()
        app = client.sandbox.world.app
        assert message["message_id"].startswith("om_")
        assert message["sender"] == {
            "id": app.app_id,
            "id_type": "app_id",
            "sender_type": "app",
            "tenant_key": app.tenant_key,
        }
        assert (message["msg_type"], message["deleted"], message["updated"]) == ("text", False, False)
        assert "root_id" not in message
        assert client.headers["Content-Type"] == "application/json; charset=utf-8"
        assert client.headers["X-Tt-Logid"]

    async def test_people_in_a_text_become_mentions(self, client: Client) -> None:
        person = client.people[1]
        text = (
            f'<at user_id="{person.open_id}">x</at> 和 <at user_id="all"></at> 和 <at user_id="{person.open_id}"></at>'
        )
        message = await client.sent({"text": text})
        assert content(message) == {"text": "@_user_1 和 @_all 和 @_user_1"}
        assert [(each["key"], each["id"], each["name"]) for each in message["mentions"]] == [
            ("@_user_1", person.open_id, person.name)
        ]

    async def test_a_post_is_read_back_without_its_language(self, client: Client) -> None:
        person = client.people[1]
        paragraph = [
            {"tag": "text", "text": "看"},
            {"tag": "a", "text": "这里", "href": "https://example.com"},
            {"tag": "at", "user_id": person.open_id},
            {"tag": "hr"},
        ]
        message = await client.sent(
            {"zh_cn": {"title": "周报", "content": [paragraph, [{"tag": "md", "text": "**好**"}]]}}, "post"
        )
        shown = content(message)
        assert shown["title"] == "周报"
        assert shown["content"][0][2] == {
            "tag": "at",
            "user_id": "@_user_1",
            "user_name": person.name,
            "style": [],
        }
        assert shown["content"][1][0]["text"] == "**好**"
        assert message["mentions"][0]["id"] == person.open_id

    async def test_a_card_is_flattened_unless_asked_for(self, client: Client) -> None:
        card = {
            "header": {"title": {"tag": "plain_text", "content": "日报"}},
            "elements": [
                {"tag": "div", "text": {"tag": "lark_md", "content": "12 条"}},
                {"tag": "hr"},
                {"tag": "img", "img_key": "img_v3_x", "alt": {"tag": "plain_text", "content": ""}},
                {
                    "tag": "action",
                    "actions": [
                        {"tag": "button", "text": {"tag": "plain_text", "content": "好"}, "type": "primary"},
                    ],
                },
            ],
        }
        message = await client.sent(card, "interactive")
        assert content(message) == {
            "title": "日报",
            "elements": [
                [{"tag": "text", "text": "12 条"}],
                [{"tag": "hr"}],
                [{"tag": "img", "image_key": "img_v3_x"}],
                [{"tag": "button", "text": "好", "type": "primary"}],
            ],
        }
        whole = await client.data(
            "GET", f"{MESSAGES}/{message['message_id']}", query={"card_msg_content_type": "user_card_content"}
        )
        assert content(whole["items"][0]) == card

    @pytest.mark.parametrize("id_type", ["open_id", "union_id", "user_id", "email"])
    async def test_a_person_is_reached_in_a_private_chat(self, client: Client, id_type: str) -> None:
        person = client.people[2]
        receiver = email(person) if id_type == "email" else getattr(person, id_type)
        body = {"receive_id": receiver, "msg_type": "text", "content": '{"text":"嗨"}'}
        first = await client.data("POST", MESSAGES, query={"receive_id_type": id_type}, body=body)
        second = await client.data("POST", MESSAGES, query={"receive_id_type": id_type}, body=body)
        assert first["chat_id"] == second["chat_id"] != client.chat_id
        assert client.sandbox.world.chats[first["chat_id"]].mode == "p2p"

    async def test_the_same_uuid_sends_once(self, client: Client) -> None:
        first = await client.sent(uuid="a" * 50)
        again = await client.sent({"text": "别的"}, uuid="a" * 50)
        other = await client.sent(uuid="b")
        assert first["message_id"] == again["message_id"] != other["message_id"]

    async def test_the_same_uuid_can_be_refused(self) -> None:
        async with running(SandboxConfig(scenario="quiet", repeated_uuid="refuse")) as client:
            assert [(await client.send(uuid="a"))["code"] for _ in range(2)] == [0, 18121]

    @pytest.mark.parametrize(
        ("msg_type", "value", "code"),
        [
            ("text", "{", 230001),
            ("text", "[]", 230001),
            ("text", {"txt": "x"}, 230001),
            ("text", {"text": "x" * 150 * 1024}, 230025),
            ("post", {"zh_cn": {"content": [[{"tag": "text", "text": "x" * 30 * 1024}]]}}, 230025),
            ("post", {"title": "x"}, 230001),
            ("post", {"zh_cn": {"content": ["x"]}}, 230001),
            ("image", {"image_key": "img_v3_unknown"}, 230017),
            ("file", {"file_key": ""}, 230001),
            ("interactive", "{", 230099),
            ("hologram", {}, 230054),
            ("", {}, 230001),
        ],
    )
    async def test_what_cannot_be_sent(self, client: Client, msg_type: str, value: Any, code: int) -> None:
        answer = await client.send(value, msg_type)
        assert (answer["code"], client.status) == (code, 400)
        assert not client.sandbox.world.messages

    @pytest.mark.parametrize(
        ("given", "code"),
        [({"receive_id": "oc_unknown"}, 230034), ({"receive_id": ""}, 230001), ({"uuid": "x" * 51}, 230001)],
    )
    async def test_wrong_parameters(self, client: Client, given: dict[str, Any], code: int) -> None:
        assert (await client.send(**given))["code"] == code

    async def test_receive_id_type_is_required(self, client: Client) -> None:
        answer = await client.call("POST", MESSAGES, body={})
        assert answer["code"] == 99992402
        assert answer["error"]["field_violations"][0]["field"] == "receive_id_type"

    async def test_an_unknown_person_is_230034(self, client: Client) -> None:
        body = {"receive_id": "ou_unknown", "msg_type": "text", "content": '{"text":"x"}'}
        assert await client.code("POST", MESSAGES, query={"receive_id_type": "open_id"}, body=body) == 230034

    async def test_a_group_without_the_bot_is_230002(self, client: Client) -> None:
        client.sandbox.world.chats[client.chat_id].has_bot = False
        assert (await client.send())["code"] == 230002

    async def test_a_group_takes_five_messages_a_second(self) -> None:
        async with running() as client:
            codes = [(await client.send())["code"] for _ in range(6)]
        assert codes == [0, 0, 0, 0, 0, 230020]


class TestReply:
    async def reply(self, client: Client, message_id: str, **given: Any) -> dict[str, Any]:
        body = {"msg_type": "text", "content": '{"text":"好"}', **given}
        return await client.data("POST", f"{MESSAGES}/{message_id}/reply", body=body)

    async def test_a_reply_names_its_parent_and_root(self, client: Client) -> None:
        first = client.say()
        second = await self.reply(client, first.message_id)
        third = await self.reply(client, second["message_id"])
        assert (second["parent_id"], second["root_id"]) == (first.message_id, first.message_id)
        assert (third["parent_id"], third["root_id"]) == (second["message_id"], first.message_id)
        assert "thread_id" not in third

    async def test_a_reply_can_open_a_topic(self, client: Client) -> None:
        first = client.say()
        second = await self.reply(client, first.message_id, reply_in_thread=True)
        assert second["thread_id"].startswith("omt_")
        assert first.thread == second["thread_id"]
        third = await self.reply(client, second["message_id"])
        assert third["thread_id"] == second["thread_id"], "what answers in a topic stays in it"

    async def test_what_is_gone_cannot_be_answered(self, client: Client) -> None:
        message = client.say()
        client.sandbox.world.recall(message, message.sender)
        body = {"msg_type": "text", "content": '{"text":"好"}'}
        assert await client.code("POST", f"{MESSAGES}/{message.message_id}/reply", body=body) == 230011
        assert await client.code("POST", f"{MESSAGES}/om_unknown/reply", body=body) == 99992354


class TestChange:
    async def test_an_edit_changes_text_and_mentions(self, client: Client) -> None:
        message = await client.sent()
        person = client.people[0]
        body = {"msg_type": "text", "content": orjson.dumps({"text": f'<at user_id="{person.open_id}"></at>'}).decode()}
        edited = await client.data("PUT", f"{MESSAGES}/{message['message_id']}", body=body)
        assert (content(edited), edited["updated"]) == ({"text": "@_user_1"}, True)
        assert edited["mentions"][0]["id"] == person.open_id

    async def test_twenty_edits_are_the_end(self, client: Client) -> None:
        path = f"{MESSAGES}/{(await client.sent())['message_id']}"
        body = {"msg_type": "text", "content": '{"text":"改"}'}
        codes = [await client.code("PUT", path, body=body) for _ in range(21)]
        assert codes == [0] * 20 + [230072]

    async def test_only_own_texts_and_posts_are_edited(self, client: Client) -> None:
        body = {"msg_type": "text", "content": '{"text":"改"}'}
        assert await client.code("PUT", f"{MESSAGES}/{client.say().message_id}", body=body) == 230071
        card = await client.sent({"schema": "2.0", "body": {"elements": []}}, "interactive")
        assert await client.code("PUT", f"{MESSAGES}/{card['message_id']}", body=body) == 230054

    async def test_a_card_is_patched(self, client: Client) -> None:
        card = await client.sent({"schema": "2.0", "body": {"elements": []}}, "interactive")
        path = f"{MESSAGES}/{card['message_id']}"
        new = {"config": {"update_multi": True}, "elements": [{"tag": "markdown", "content": "新"}]}
        assert await client.data("PATCH", path, body={"content": orjson.dumps(new).decode()}) == {}
        shown = (await client.data("GET", path))["items"][0]
        assert content(shown)["elements"] == [[{"tag": "text", "text": "新"}]]
        assert await client.code("PATCH", path, body={"content": '{"elements":[]}'}) == 230001
        assert await client.code("PATCH", f"{MESSAGES}/{(await client.sent())['message_id']}", body={}) == 230001

    async def test_a_card_is_patched_for_fourteen_days(self, client: Client) -> None:
        card = await client.sent({"schema": "2.0", "body": {"elements": []}}, "interactive")
        client.sandbox.clock.move(client.sandbox.world.now() + 15 * 86_400_000, speed=1)
        body = {"content": '{"schema":"2.0"}'}
        assert await client.code("PATCH", f"{MESSAGES}/{card['message_id']}", body=body) == 230031

    async def test_recall_is_for_own_messages_or_the_owner(self, client: Client) -> None:
        own, other = await client.sent(), client.say()
        assert await client.data("DELETE", f"{MESSAGES}/{own['message_id']}") == {}
        assert await client.code("DELETE", f"{MESSAGES}/{own['message_id']}") == 230011
        assert await client.code("DELETE", f"{MESSAGES}/{other.message_id}") == 230026
        client.sandbox.world.chats[client.chat_id].owner = client.sandbox.world.app.open_id
        assert await client.code("DELETE", f"{MESSAGES}/{other.message_id}") == 0
        assert other.recalled


class TestHistory:
    async def pages(self, client: Client, **query: Any) -> list[str]:
        """The message ids of every page."""
        query = {"container_id_type": "chat", "container_id": client.chat_id, "page_size": "3", **query}
        found: list[str] = []
        while True:
            page = await client.data("GET", MESSAGES, query=query)
            assert len(page["items"]) <= 3
            found += [item["message_id"] for item in page["items"]]
            if not page["has_more"]:
                return found
            query["page_token"] = page["page_token"]

    async def test_every_page_in_both_orders(self, client: Client) -> None:
        ids = [client.say(at=1_700_000_000_000 + number).message_id for number in range(7)]
        assert await self.pages(client) == ids
        assert await self.pages(client, sort_type="ByCreateTimeDesc") == ids[::-1]

    async def test_late_arrivals_are_in_order_of_creation(self, client: Client) -> None:
        late = client.say(at=1_700_000_005_000).message_id
        early = client.say(at=1_700_000_001_000).message_id
        assert await self.pages(client) == [early, late]

    async def test_times_are_seconds_and_inclusive(self, client: Client) -> None:
        ids = [client.say(at=1_700_000_000_000 + number * 500).message_id for number in range(6)]
        assert await self.pages(client, start_time="1700000001", end_time="1700000001") == ids[2:4]
        assert await self.pages(client, start_time="1700000002") == ids[4:]
        assert await self.pages(client, end_time="1699999999") == []

    async def test_a_topic_has_its_own_history(self, client: Client) -> None:
        root = client.say()
        inside = client.say(parent=root.message_id, in_topic=True)
        beside = client.say(parent=root.message_id)
        assert await self.pages(client) == [root.message_id, beside.message_id]
        topic = await self.pages(client, container_id_type="thread", container_id=root.thread)
        assert topic == [root.message_id, inside.message_id]

    async def test_every_message_of_a_topic_group_is_in_a_topic(self, client: Client) -> None:
        client.sandbox.world.chats[client.chat_id].mode = "topic"
        root = client.say()
        answer = client.say(parent=root.message_id)
        assert root.thread
        assert answer.thread == root.thread
        assert await self.pages(client) == [root.message_id]

    async def test_a_recalled_message_keeps_its_place(self, client: Client) -> None:
        message = client.say()
        client.sandbox.world.recall(message, message.sender)
        item = (await client.data("GET", f"{MESSAGES}/{message.message_id}"))["items"][0]
        assert (item["deleted"], item["body"]["content"]) == (True, "This message was recalled")

    async def test_ids_are_of_the_type_asked_for(self, client: Client) -> None:
        message, person = client.say(), client.people[0]
        for id_type in ("open_id", "union_id", "user_id"):
            path = f"{MESSAGES}/{message.message_id}"
            item = (await client.data("GET", path, query={"user_id_type": id_type}))["items"][0]
            assert item["sender"]["id"] == getattr(person, id_type)
            assert item["sender"]["id_type"] == id_type

    @pytest.mark.parametrize(
        ("query", "code"),
        [
            ({"container_id": "oc_unknown"}, 230002),
            ({"container_id_type": "thread", "container_id": "omt_unknown"}, 230019),
            ({"container_id_type": "drawer"}, 230001),
            ({"sort_type": "ByMood"}, 230001),
            ({"page_size": "51"}, 230001),
            ({"page_size": "0"}, 230001),
            ({"page_token": "x"}, 230001),
            ({"start_time": "yesterday"}, 230001),
        ],
    )
    async def test_wrong_parameters(self, client: Client, query: dict[str, str], code: int) -> None:
        query = {"container_id_type": "chat", "container_id": client.chat_id, **query}
        assert await client.code("GET", MESSAGES, query=query) == code

    async def test_a_group_s_history_needs_the_sensitive_scope(self, client: Client) -> None:
        client.sandbox.world.app.scopes.discard("im:message.group_msg")
        query = {"container_id_type": "chat", "container_id": client.chat_id}
        assert await client.code("GET", MESSAGES, query=query) == 99991672
        assert await client.code("GET", f"{MESSAGES}/{client.say().message_id}") == 99991672
