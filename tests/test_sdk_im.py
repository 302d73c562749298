"""The official Python SDK, unmodified, against the sandbox: its long connection and its messaging API."""

from __future__ import annotations

import asyncio
import io
import queue
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import lark_oapi as lark
import orjson
import pytest
from lark_oapi.api.contact.v3 import BatchUserRequest
from lark_oapi.api.im.v1 import (
    CreateFileRequest,
    CreateFileRequestBody,
    CreateImageRequest,
    CreateImageRequestBody,
    CreateMessageReactionRequest,
    CreateMessageReactionRequestBody,
    CreateMessageRequest,
    CreateMessageRequestBody,
    CreatePinRequest,
    DeleteMessageReactionRequest,
    DeleteMessageRequest,
    DeletePinRequest,
    Emoji,
    GetChatMembersRequest,
    GetChatRequest,
    GetMessageRequest,
    GetMessageResourceRequest,
    ListChatRequest,
    ListMessageReactionRequest,
    ListMessageRequest,
    ListPinRequest,
    P2ImMessageReceiveV1,
    Pin,
    ReplyMessageRequest,
    ReplyMessageRequestBody,
)
from sandbox_client import SECONDS, Client, running, until
from sdk_link import long_connection

from sandbox.config import ClientConfig, SandboxConfig

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)
EAGER = ClientConfig(reconnect_count=-1, reconnect_interval=1, reconnect_nonce=0, ping_interval=1)


def telling(handle: Callable[[P2ImMessageReceiveV1], None]) -> lark.EventDispatcherHandler:
    """Hands messages to ``handle``."""
    return lark.EventDispatcherHandler.builder("", "").register_p2_im_message_receive_v1(handle).build()


async def heard(messages: queue.Queue[P2ImMessageReceiveV1]) -> P2ImMessageReceiveV1:
    return await asyncio.to_thread(messages.get, timeout=SECONDS)


async def test_the_long_connection_receives_acknowledges_and_reconnects() -> None:
    config = SandboxConfig(scenario="quiet", client=EAGER, part_size=200, app_id="cli_00000000000000a1")
    async with running(config) as client:
        messages: queue.Queue[P2ImMessageReceiveV1] = queue.Queue()
        async with long_connection(client, telling(messages.put)):
            message_id = client.say("长" * 500).message_id
            event = await heard(messages)
            assert event.event is not None
            assert event.event.message is not None
            assert event.event.message.message_id == message_id
            assert orjson.loads(str(event.event.message.content)) == {"text": "长" * 500}
            await asyncio.wait_for(client.sandbox.gateway.delivery.emptied(), SECONDS)
            await until(lambda: client.sandbox.gateway.pings > 0)

            client.sandbox.gateway.disconnect()
            again = client.say("又来了").message_id
            event = await heard(messages)
            assert event.event is not None
            assert event.event.message is not None
            assert event.event.message.message_id == again
            await asyncio.wait_for(client.sandbox.gateway.delivery.emptied(), SECONDS)
        done = client.sandbox.gateway.document()
        assert (done["accepted"], done["malformed"], done["pushes"]["acked"]) == (2, 0, 2)


async def test_a_handler_that_raises_gets_the_event_again() -> None:
    config = SandboxConfig(scenario="quiet", client=EAGER, retry_factor=1e-3, app_id="cli_00000000000000a2")
    async with running(config) as client:
        attempts: queue.Queue[P2ImMessageReceiveV1] = queue.Queue()

        def handle(event: P2ImMessageReceiveV1) -> None:
            attempts.put(event)
            if attempts.qsize() == 1:
                raise ValueError("the first time")

        async with long_connection(client, telling(handle)):
            client.say("你好")
            await until(lambda: attempts.qsize() == 2)
            await asyncio.wait_for(client.sandbox.gateway.delivery.emptied(), SECONDS)
        done = client.sandbox.gateway.delivery.document()
        assert (done["refused"], done["repushed"], done["acked"]) == (1, 1, 1)


class Sdk:
    """The SDK's API client; each call runs in a thread, because it blocks."""

    def __init__(self, client: Client) -> None:
        self.client = client
        app = client.sandbox.world.app
        self.api = lark.Client.builder().app_id(app.app_id).app_secret(app.secret).domain(client.sandbox.url).build()
        self.chat_id = client.sandbox.environment()["CHAT_ID"]

    async def ok(self, call: Callable[[Any], Any], request: Any) -> Any:
        """The answer of an operation that must succeed."""
        answer = await asyncio.to_thread(call, request)
        assert answer.success(), (answer.code, answer.msg)
        return answer

    async def data(self, call: Callable[[Any], Any], request: Any) -> Any:
        """Its ``data``."""
        return (await self.ok(call, request)).data

    async def send(self, msg_type: str, content: dict[str, Any]) -> Any:
        body = CreateMessageRequestBody.builder().receive_id(self.chat_id).msg_type(msg_type)
        body = body.content(orjson.dumps(content).decode())
        request = CreateMessageRequest.builder().receive_id_type("chat_id").request_body(body.build()).build()
        return await self.data(self.api.im.v1.message.create, request)


@pytest.fixture
async def sdk(request: pytest.FixtureRequest) -> AsyncIterator[Sdk]:
    # The SDK keeps tokens by app_id for the whole process, so every test is another app.
    app_id = f"cli_{zlib.crc32(request.node.name.encode()):016x}"
    async with running(SandboxConfig(scenario="quiet", app_id=app_id)) as client:
        yield Sdk(client)


async def test_messages(sdk: Sdk) -> None:
    api = sdk.api.im.v1.message
    first = await sdk.send("text", {"text": "第一条"})
    reply = await sdk.data(
        api.reply,
        ReplyMessageRequest.builder()
        .message_id(first.message_id)
        .request_body(
            ReplyMessageRequestBody.builder().msg_type("text").content('{"text":"回复"}').reply_in_thread(True).build()
        )
        .build(),
    )
    assert (reply.parent_id, reply.root_id) == (first.message_id, first.message_id)
    assert reply.thread_id.startswith("omt_")
    got = await sdk.data(api.get, GetMessageRequest.builder().message_id(reply.message_id).build())
    assert [item.message_id for item in got.items] == [reply.message_id]
    listing = ListMessageRequest.builder().container_id_type("chat").container_id(sdk.chat_id).build()
    assert [item.message_id for item in (await sdk.data(api.list, listing)).items] == [first.message_id]
    topic = ListMessageRequest.builder().container_id_type("thread").container_id(reply.thread_id).build()
    assert [item.message_id for item in (await sdk.data(api.list, topic)).items] == [first.message_id, reply.message_id]
    await sdk.ok(api.delete, DeleteMessageRequest.builder().message_id(first.message_id).build())
    assert (await sdk.data(api.list, listing)).items[0].deleted is True


async def test_reactions_and_pins(sdk: Sdk) -> None:
    message = await sdk.send("text", {"text": "好消息"})
    reactions = sdk.api.im.v1.message_reaction
    emoji = Emoji.builder().emoji_type("THUMBSUP").build()
    body = CreateMessageReactionRequestBody.builder().reaction_type(emoji).build()
    create = CreateMessageReactionRequest.builder().message_id(message.message_id).request_body(body).build()
    created = await sdk.data(reactions.create, create)
    listing = ListMessageReactionRequest.builder().message_id(message.message_id).build()
    listed = await sdk.data(reactions.list, listing)
    assert [item.reaction_id for item in listed.items] == [created.reaction_id]
    delete = DeleteMessageReactionRequest.builder().message_id(message.message_id).reaction_id(created.reaction_id)
    await sdk.ok(reactions.delete, delete.build())
    assert not (await sdk.data(reactions.list, listing)).items

    pins = sdk.api.im.v1.pin
    pin = Pin.builder().message_id(message.message_id).build()
    await sdk.ok(pins.create, CreatePinRequest.builder().request_body(pin).build())
    listing = ListPinRequest.builder().chat_id(sdk.chat_id).build()
    assert [item.message_id for item in (await sdk.data(pins.list, listing)).items] == [message.message_id]
    await sdk.ok(pins.delete, DeletePinRequest.builder().message_id(message.message_id).build())
    assert not (await sdk.data(pins.list, listing)).items


async def test_chats_members_and_contact(sdk: Sdk) -> None:
    chats = await sdk.data(sdk.api.im.v1.chat.list, ListChatRequest.builder().build())
    assert [chat.chat_id for chat in chats.items] == [sdk.chat_id]
    chat = await sdk.data(sdk.api.im.v1.chat.get, GetChatRequest.builder().chat_id(sdk.chat_id).build())
    assert (chat.name, chat.user_count) == ("安静的群", "4")
    members = GetChatMembersRequest.builder().chat_id(sdk.chat_id).build()
    members = (await sdk.data(sdk.api.im.v1.chat_members.get, members)).items
    ids = [member.member_id for member in members]
    people = BatchUserRequest.builder().user_ids([*ids, "ou_unknown"]).build()
    people = (await sdk.data(sdk.api.contact.v3.user.batch, people)).items
    assert [(person.open_id, person.name) for person in people] == [(each.member_id, each.name) for each in members]


async def test_images_and_files(sdk: Sdk) -> None:
    image = CreateImageRequestBody.builder().image_type("message").image(io.BytesIO(PNG)).build()
    image = await sdk.data(sdk.api.im.v1.image.create, CreateImageRequest.builder().request_body(image).build())
    file = (
        CreateFileRequestBody.builder().file_type("stream").file_name("周报.txt").file(io.BytesIO(b"content")).build()
    )
    file = await sdk.data(sdk.api.im.v1.file.create, CreateFileRequest.builder().request_body(file).build())
    for kind, key, value, expected in (
        ("image", "image_key", image.image_key, PNG),
        ("file", "file_key", file.file_key, b"content"),
    ):
        message = await sdk.send(kind, {key: value})
        download = GetMessageResourceRequest.builder().message_id(message.message_id).file_key(value).type(kind).build()
        answer = await sdk.ok(sdk.api.im.v1.message_resource.get, download)
        assert answer.file.read() == expected
        assert answer.file_name


async def test_a_failure_is_told(sdk: Sdk) -> None:
    sdk.client.sandbox.world.app.scopes.clear()
    answer = await asyncio.to_thread(sdk.api.im.v1.chat.list, ListChatRequest.builder().build())
    assert answer.code == 99991672
    assert "im:chat:read" in answer.msg
    assert answer.error["permission_violations"]
