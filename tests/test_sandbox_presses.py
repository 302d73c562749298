"""Somebody uses a card in the sandbox: the answer is shown, checked, or told by the platform's code; later updates."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sandbox_client import Client, Link, running

from sandbox.config import SandboxConfig

TOKEN_LASTS = 30 * 60_000


def card(words: str, **value: Any) -> dict[str, Any]:
    press = {"tag": "button", "text": {"tag": "plain_text", "content": "好"}, "name": "ok"}
    press["behaviors"] = [{"type": "callback", "value": value}]
    return {"schema": "2.0", "body": {"elements": [{"tag": "markdown", "content": words}, press]}}


@asynccontextmanager
async def sent(**given: Any) -> AsyncIterator[tuple[Client, Link, str]]:
    """An app that has sent a card with one button and is connected."""
    async with running(SandboxConfig(scenario="quiet", rate_limits=False, **given)) as client:
        message = await client.sent(card("要吗？", op="go"), "interactive")
        async with await client.connect() as link:
            await link.ping()  # From now on it is pushed to.
            yield client, link, message["message_id"]


async def press(client: Client, message_id: str, **how: Any) -> dict[str, Any]:
    body = {"message": message_id, "person": client.people[0].open_id, **(how or {"part": "好"})}
    return await client.control("POST", "clicks", body)


async def pressed(client: Client, link: Link, message_id: str, answer: Any, **how: Any) -> tuple[dict[str, Any], Any]:
    """What the person sees, and the event the app got, when it answers so; bytes are answered as they are."""
    pressing = asyncio.create_task(press(client, message_id, **how))
    frame = await link.frame()
    event = json.loads(frame.payload)["event"]
    data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    await link.ack(frame, b'{"code":200,"data":"%b"}' % base64.b64encode(data))
    return await pressing, event


def shown(client: Client, message_id: str) -> str:
    return client.sandbox.world.message(message_id).card


async def test_the_toast_and_the_new_card_are_shown() -> None:
    async with sent() as (client, link, message_id):
        toast = {"type": "success", "content": "已保存"}
        seen, event = await pressed(
            client, link, message_id, {"toast": toast, "card": {"type": "raw", "data": card("好了")}}
        )
        assert event["action"] == {"tag": "button", "name": "ok", "value": {"op": "go"}, "timezone": "Asia/Shanghai"}
        assert event["context"]["open_message_id"] == message_id
        assert (seen["code"], seen["toast"], seen["card"]) == (0, toast, True)
        assert json.loads(shown(client, message_id)) == card("好了")
        content = json.loads(client.sandbox.world.message(message_id).content)
        assert content["elements"][0] == [{"tag": "text", "text": "好了"}]
        async with client.session.get(f"{client.sandbox.url}/sandbox/cards/{message_id}") as page:
            assert "好了" in await page.text()


@pytest.mark.parametrize("answer", [{}, {"toast": {"i18n": {"zh_cn": "好"}}}])
async def test_an_answer_without_a_card_keeps_it(answer: Any) -> None:
    async with sent() as (client, link, message_id):
        seen, _ = await pressed(client, link, message_id, answer)
        assert seen == {"code": 0, "msg": "", "answer": answer, "toast": answer.get("toast"), "card": False}
        assert json.loads(shown(client, message_id)) == card("要吗？", op="go")


async def test_an_acknowledgement_without_data_shows_nothing() -> None:
    async with sent() as (client, link, message_id):
        pressing = asyncio.create_task(press(client, message_id))
        await link.ack(await link.frame())
        assert await pressing == {"code": 0, "msg": "", "answer": None, "toast": None, "card": False}


async def test_a_template_is_shown_too() -> None:
    async with sent() as (client, link, message_id):
        template = {"type": "template", "data": {"template_id": "t1"}}
        seen, _ = await pressed(client, link, message_id, {"card": template})
        assert (seen["code"], json.loads(shown(client, message_id))) == (0, template)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("no handler", "an answer is an object"),
        (b"{", "no JSON"),
        ({"toast": "好"}, "a toast has content"),
        ({"toast": {"type": "loud", "content": "好"}}, "a type among info"),
        ({"toast": {"type": "info"}}, "a toast has content"),
        ({"card": card("没有包")}, "a card is"),
        ({"card": {"type": "raw", "data": "{}"}}, "a card is"),
        ({"card": {"type": "raw", "data": {"schema": "2.0", "elements": []}}}, "unknown property"),
        ({"card": {"type": "raw", "data": card("x" * 40_000)}}, "230025"),
        ({"card": {"type": "raw", "data": {"type": "card", "data": {"card_id": "1"}}}}, "raw or a template"),
    ],
)
async def test_an_answer_that_is_none_keeps_the_card_and_shows_200671(answer: Any, why: str) -> None:
    async with sent() as (client, link, message_id):
        seen, _ = await pressed(client, link, message_id, answer)
        assert (seen["code"], seen["card"]) == (200671, False)
        assert why in seen["msg"]
        assert json.loads(shown(client, message_id)) == card("要吗？", op="go")


async def test_no_answer_in_time_shows_200341() -> None:
    async with sent(ack_timeout=0.05) as (client, _, message_id):
        assert await press(client, message_id) == {
            "code": 200341, "msg": "no answer within 0.05 s", "answer": None, "toast": None, "card": False,
        }  # fmt: skip


async def test_what_cannot_be_pressed_is_told_at_once() -> None:
    async with sent() as (client, _, message_id):
        assert "no part 'nein'" in (await press(client, message_id, part="nein"))["error"]
        assert client.status == 400
        assert "is no card" in (await press(client, client.say().message_id, part="好"))["error"]
        assert "an object" in (await press(client, message_id, action="ok"))["error"]
        assert await client.code("DELETE", f"/im/v1/messages/{message_id}") == 0
        assert "was recalled" in (await press(client, message_id))["error"]


async def update(client: Client, token: str, new: Any) -> int:
    return await client.code("POST", "/interactive/v1/card/update", body={"token": token, "card": new})


async def test_an_answered_use_allows_two_later_updates() -> None:
    async with sent() as (client, link, message_id):
        _, event = await pressed(client, link, message_id, {})
        for number in range(2):
            assert await update(client, event["token"], {**card(f"第{number}次"), "open_ids": ["ou_1"]}) == 0
            assert json.loads(shown(client, message_id)) == card(f"第{number}次")
        assert await update(client, event["token"], card("第三次")) == 230001
        assert json.loads(shown(client, message_id)) == card("第1次")


async def test_an_update_that_is_refused_uses_nothing_up() -> None:
    async with sent() as (client, link, message_id):
        _, event = await pressed(client, link, message_id, {})
        assert await update(client, event["token"], {"schema": "3.0"}) == 230099
        assert await update(client, event["token"], None) == 230001
        assert [await update(client, event["token"], card("好")) for _ in range(3)] == [0, 0, 230001]


async def test_a_token_is_good_once_the_use_was_answered_and_for_30_minutes() -> None:
    async with sent() as (client, link, message_id):
        assert await update(client, "c-unknown", card("好")) == 230001
        pressing = asyncio.create_task(press(client, message_id))
        frame = await link.frame()
        token = json.loads(frame.payload)["event"]["token"]
        assert await update(client, token, card("早")) == 230001
        await link.ack(frame)
        await pressing
        client.sandbox.clock.jump(TOKEN_LASTS + 1)
        assert await update(client, token, card("晚")) == 230001
        client.sandbox.clock.jump(-TOKEN_LASTS - 1)
        _, event = await pressed(client, link, message_id, {})
        client.sandbox.clock.jump(TOKEN_LASTS - 1000)
        assert await update(client, event["token"], card("正好")) == 0


async def test_a_patched_card_is_what_is_pressed_next() -> None:
    async with sent() as (client, link, message_id):
        body = {"content": json.dumps(card("换了", op="next"))}
        assert await client.code("PATCH", f"/im/v1/messages/{message_id}", body=body) == 0
        _, event = await pressed(client, link, message_id, {}, part="ok")
        assert event["action"]["value"] == {"op": "next"}
