"""The official Python SDK, unmodified, against the sandbox's cards: callbacks answered, and CardKit's operations."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import lark_oapi as lark
from lark_oapi.api.cardkit.v1 import (
    BatchUpdateCardRequest,
    BatchUpdateCardRequestBody,
    Card,
    ContentCardElementRequest,
    ContentCardElementRequestBody,
    CreateCardElementRequest,
    CreateCardElementRequestBody,
    CreateCardRequest,
    CreateCardRequestBody,
    DeleteCardElementRequest,
    DeleteCardElementRequestBody,
    IdConvertCardRequest,
    IdConvertCardRequestBody,
    PatchCardElementRequest,
    PatchCardElementRequestBody,
    SettingsCardRequest,
    SettingsCardRequestBody,
    UpdateCardElementRequest,
    UpdateCardElementRequestBody,
    UpdateCardRequest,
    UpdateCardRequestBody,
)
from lark_oapi.api.im.v1 import PatchMessageRequest, PatchMessageRequestBody
from lark_oapi.event.callback.model.p2_card_action_trigger import P2CardActionTrigger, P2CardActionTriggerResponse
from sandbox_client import Client, running, until
from sdk_link import long_connection

from sandbox.config import SandboxConfig

QUIET = SandboxConfig(scenario="quiet", rate_limits=False)


def text(element_id: str, content: str) -> dict[str, Any]:
    return {"tag": "markdown", "element_id": element_id, "content": content}


def card(*elements: dict[str, Any]) -> dict[str, Any]:
    return {"schema": "2.0", "config": {"streaming_mode": True}, "body": {"elements": list(elements)}}


BUTTON = {
    "tag": "button",
    "text": {"tag": "plain_text", "content": "好"},
    "behaviors": [{"type": "callback", "value": {"op": "go"}}],
}


async def seen(client: Client, handle: Callable[[P2CardActionTrigger], P2CardActionTriggerResponse]) -> dict[str, Any]:
    """What who presses the button sees when the SDK hands the callback to ``handle``; and the card as it is then."""
    handler = lark.EventDispatcherHandler.builder("", "").register_p2_card_action_trigger(handle).build()
    message_id = (await client.sent(card(BUTTON), "interactive"))["message_id"]
    async with long_connection(client, handler):
        body = {"message": message_id, "person": client.people[0].open_id, "part": "好"}
        await until(lambda: client.sandbox.gateway.delivery.choose() is not None)
        told = await client.control("POST", "clicks", body)
    return {**told, "now": json.loads(client.sandbox.world.message(message_id).card)}


async def test_the_sdk_s_answer_to_a_callback_is_shown() -> None:
    new = card(text("done", "好了"))
    pressed: list[Any] = []

    def handle(event: P2CardActionTrigger) -> P2CardActionTriggerResponse:
        pressed.append(event.event)
        toast = {"type": "success", "content": "已保存"}
        return P2CardActionTriggerResponse({"toast": toast, "card": {"type": "raw", "data": new}})

    async with running(QUIET) as client:
        told = await seen(client, handle)
        assert (told["code"], told["toast"]["content"], told["now"]) == (0, "已保存", new)
        (event,) = pressed
        assert (event.action.value, event.operator.open_id) == ({"op": "go"}, client.people[0].open_id)
        assert event.context.open_chat_id == client.chat_id


async def test_the_sdk_s_handler_that_raises_shows_the_platform_s_code() -> None:
    def handle(event: P2CardActionTrigger) -> P2CardActionTriggerResponse:
        raise ValueError("broken")

    async with running(QUIET) as client:
        told = await seen(client, handle)
        assert (told["code"], told["msg"], told["now"]) == (200671, "the app answered 500", card(BUTTON))


async def test_every_operation_of_cardkit_is_understood() -> None:
    async with running(QUIET) as client:
        app = client.sandbox.world.app
        sdk = lark.Client.builder().app_id(app.app_id).app_secret(app.secret).domain(client.sandbox.url).build()
        kit = sdk.cardkit.v1

        async def done(call: Callable[[Any], Any], request: Any) -> Any:
            answer = await asyncio.to_thread(call, request)
            assert answer.success(), (answer.code, answer.msg)
            return getattr(answer, "data", None)

        made = CreateCardRequestBody.builder().type("card_json").data(json.dumps(card(text("a", "…"))))
        card_id = (await done(kit.card.create, CreateCardRequest.builder().request_body(made.build()).build())).card_id
        message = await client.sent({"type": "card", "data": {"card_id": card_id}}, "interactive")
        shown = client.sandbox.world.message(message["message_id"])

        def elements() -> list[Any]:
            return list(json.loads(shown.card)["body"]["elements"])

        def on(request: Any, body: Any, element_id: str = "") -> Any:
            request = request.builder().card_id(card_id)
            return (request.element_id(element_id) if element_id else request).request_body(body.build()).build()

        body: Any = ContentCardElementRequestBody.builder().content("你好").uuid("u1").sequence(1)
        await done(kit.card_element.content, on(ContentCardElementRequest, body, "a"))
        assert elements() == [text("a", "你好")]
        body = CreateCardElementRequestBody.builder().type("append").elements(json.dumps([text("b", "乙")])).sequence(2)
        await done(kit.card_element.create, on(CreateCardElementRequest, body))
        body = PatchCardElementRequestBody.builder().partial_element('{"content":"改"}').sequence(3)
        await done(kit.card_element.patch, on(PatchCardElementRequest, body, "b"))
        assert elements()[1] == text("b", "改")
        body = UpdateCardElementRequestBody.builder().element(json.dumps(text("c", "丙"))).sequence(4)
        await done(kit.card_element.update, on(UpdateCardElementRequest, body, "b"))
        await done(
            kit.card_element.delete,
            on(DeleteCardElementRequest, DeleteCardElementRequestBody.builder().sequence(5), "a"),
        )
        assert elements() == [text("c", "丙")]
        actions = [{"action": "delete_elements", "params": {"element_ids": ["c"]}}]
        body = BatchUpdateCardRequestBody.builder().actions(json.dumps(actions)).sequence(6)
        await done(kit.card.batch_update, on(BatchUpdateCardRequest, body))
        assert elements() == []
        whole = Card.builder().type("card_json").data(json.dumps(card(text("d", "丁")))).build()
        await done(kit.card.update, on(UpdateCardRequest, UpdateCardRequestBody.builder().card(whole).sequence(7)))
        body = SettingsCardRequestBody.builder().settings('{"config":{"streaming_mode":false}}').sequence(8)
        await done(kit.card.settings, on(SettingsCardRequest, body))
        assert json.loads(shown.card)["config"] == {"streaming_mode": False}
        asked = IdConvertCardRequestBody.builder().message_id(shown.message_id).build()
        converted = await done(kit.card.id_convert, IdConvertCardRequest.builder().request_body(asked).build())
        assert converted.card_id == card_id

        patch = PatchMessageRequestBody.builder().content(json.dumps(card(text("e", "戊")))).build()
        request = PatchMessageRequest.builder().message_id(shown.message_id).request_body(patch).build()
        await done(sdk.im.v1.message.patch, request)
        assert elements() == [text("e", "戊")]
        update = (
            lark.BaseRequest.builder().http_method(lark.HttpMethod.POST).uri("/open-apis/interactive/v1/card/update")
        )
        update = update.token_types({lark.AccessTokenType.TENANT}).body({"token": "c-unknown", "card": card()}).build()
        assert (await asyncio.to_thread(sdk.request, update)).code == 230001
