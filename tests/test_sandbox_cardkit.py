"""CardKit in the sandbox: cards with an id, their elements, streaming, and the platform's codes (FEISHU.md §10.3)."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sandbox_client import Client, running

from sandbox.config import SandboxConfig

DAY = 86_400_000
CARDS = "/cardkit/v1/cards"


def text(element_id: str, content: str = "…") -> dict[str, Any]:
    return {"tag": "markdown", "element_id": element_id, "content": content}


def card(*elements: dict[str, Any], **config: Any) -> dict[str, Any]:
    return {"schema": "2.0", "config": {"streaming_mode": True, **config}, "body": {"elements": list(elements)}}


class Kit:
    """A client with one card."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.card_id = ""
        self.message_id = ""
        self.numbers = itertools.count(1)

    async def make(self, card: Any) -> str:
        answer = await self.client.data("POST", CARDS, body={"type": "card_json", "data": json.dumps(card)})
        self.card_id = str(answer["card_id"])
        return self.card_id

    async def send(self) -> None:
        sent = await self.client.sent({"type": "card", "data": {"card_id": self.card_id}}, "interactive")
        self.message_id = sent["message_id"]

    async def do(self, method: str, path: str = "", **body: Any) -> int:
        """The code of an operation on the card, with the next sequence unless one is given."""
        body.setdefault("sequence", next(self.numbers))
        return await self.client.code(method, f"{CARDS}/{self.card_id}{path}", body=body)

    async def stream(self, element_id: str, content: str, **more: Any) -> int:
        return await self.do("PUT", f"/elements/{element_id}/content", content=content, **more)

    def shown(self) -> dict[str, Any]:
        """The card as the group sees it."""
        return dict(json.loads(self.client.sandbox.world.message(self.message_id).card))

    def elements(self) -> list[Any]:
        return list(self.shown()["body"]["elements"])


@asynccontextmanager
async def kit(*elements: dict[str, Any], rate_limits: bool = False, **config: Any) -> AsyncIterator[Kit]:
    """A card that was made and sent."""
    async with running(SandboxConfig(scenario="quiet", rate_limits=rate_limits)) as client:
        one = Kit(client)
        await one.make(card(*(elements or (text("a"), text("b"))), **config))
        await one.send()
        yield one


async def test_a_text_is_streamed_into_a_card_before_and_after_it_is_sent() -> None:
    async with running(SandboxConfig(scenario="quiet", rate_limits=False)) as client:
        one = Kit(client)
        await one.make(card(text("a")))
        assert await one.stream("a", "你") == 0
        await one.send()
        assert one.elements() == [text("a", "你")]
        assert await one.stream("a", "你好") == 0
        assert one.elements() == [text("a", "你好")]
        assert json.loads(client.sandbox.world.message(one.message_id).content)["elements"][0][0]["text"] == "你好"
        assert await one.do("PATCH", "/settings", settings='{"config":{"streaming_mode":false}}') == 0
        assert one.shown()["config"] == {"streaming_mode": False}
        assert await one.stream("a", "你好吗") == 300309
        assert await one.do("PATCH", "/settings", settings='{"config":{"streaming_mode":true}}') == 0
        assert await one.stream("a", "你好吗") == 0


async def test_the_words_on_a_button_can_be_streamed_a_line_cannot() -> None:
    words = {"tag": "plain_text", "content": "", "element_id": "words"}
    async with kit({"tag": "button", "text": words}, {"tag": "hr", "element_id": "line"}) as one:
        assert await one.stream("words", "好") == 0
        assert one.elements()[0]["text"]["content"] == "好"
        assert await one.stream("line", "好") == 300310
        assert await one.stream("nothing", "好") == 300313


async def test_streaming_ends_by_itself_after_ten_minutes() -> None:
    async with kit() as one:
        assert await one.stream("a", "好") == 0
        one.client.sandbox.clock.jump(600_001)
        assert [await one.stream("a", "好") for _ in range(2)] == [200850, 300309]
        assert one.shown()["config"]["streaming_mode"] is False


async def test_operations_come_in_the_order_of_their_sequence_each_once() -> None:
    async with kit() as one:
        assert await one.stream("a", "一", sequence=5, uuid="u1") == 0
        for late in (5, 4):
            assert await one.stream("a", "二", sequence=late) == 300317
        assert await one.stream("a", "一", sequence=5, uuid="u1") == 0
        assert await one.stream("a", "三", sequence=6, uuid="u1") == 200770
        for wrong in (0, -1, "7", None, 2**31, True):
            assert await one.stream("a", "三", sequence=wrong) == 99992402
        assert await one.stream("a", "三", sequence=7, uuid="u" * 65) == 99992402
        assert one.elements()[0] == text("a", "一")
        assert await one.stream("b", "四", sequence=7) == 0, "what failed has no number"


async def test_elements_are_added_replaced_changed_and_removed() -> None:
    async with kit() as one:
        new = [{"tag": "hr", "element_id": "line"}]
        assert (
            await one.do("POST", "/elements", type="insert_after", target_element_id="a", elements=json.dumps(new)) == 0
        )
        assert await one.do("POST", "/elements", type="append", elements=json.dumps([text("c")])) == 0
        assert [each["element_id"] for each in one.elements()] == ["a", "line", "b", "c"]
        assert await one.do("PUT", "/elements/b", element=json.dumps(text("z", "新"))) == 0
        assert await one.do("PATCH", "/elements/c", partial_element='{"content":"改"}') == 0
        assert await one.do("DELETE", "/elements/line") == 0
        assert one.elements() == [text("a"), text("z", "新"), text("c", "改")]
        assert await one.do("PATCH", "/elements/c", partial_element='{"tag":"hr"}') == 300312
        assert await one.do("DELETE", "/elements/line") == 300313
        assert await one.do("POST", "/elements", type="sideways", elements="[]") == 99992402
        assert await one.do("POST", "/elements", type="append", target_element_id="a", elements="[]") == 300312


async def test_a_container_holds_what_is_appended_to_it() -> None:
    panel = {"tag": "interactive_container", "element_id": "box", "elements": [text("a")], "behaviors": []}
    async with kit(panel) as one:
        asked = {"type": "append", "target_element_id": "box", "elements": json.dumps([text("b")])}
        assert await one.do("POST", "/elements", **asked) == 0
        asked = {"type": "insert_before", "target_element_id": "a", "elements": json.dumps([text("c")])}
        assert await one.do("POST", "/elements", **asked) == 0
        assert [each["element_id"] for each in one.elements()[0]["elements"]] == ["c", "a", "b"]


async def test_a_batch_is_done_whole_or_not_at_all() -> None:
    good = [
        {"action": "add_elements", "params": {"type": "insert_before", "target_element_id": "a",
                                              "elements": [text("first")]}},
        {"action": "update_element", "params": {"element_id": "a", "element": text("a", "甲")}},
        {"action": "partial_update_element", "params": {"element_id": "first", "partial_element": {"content": "一"}}},
        {"action": "delete_elements", "params": {"element_ids": ["b"]}},
        {"action": "partial_update_setting", "params": {"settings": {"config": {"summary": {"content": "完"}}}}},
    ]  # fmt: skip
    async with kit() as one:
        bad = [*good, {"action": "delete_elements", "params": {"element_ids": ["nothing"]}}]
        before = one.shown()
        assert await one.do("POST", "/batch_update", actions=json.dumps(bad)) == 300313
        assert await one.do("POST", "/batch_update", actions='[{"action":"sing","params":{}}]') == 99992402
        assert one.shown() == before
        assert await one.do("POST", "/batch_update", actions=json.dumps(good)) == 0
        assert one.elements() == [text("first", "一"), text("a", "甲")]
        assert one.shown()["config"]["summary"] == {"content": "完"}


async def test_the_whole_card_is_replaced() -> None:
    async with kit() as one:
        new = card(text("n", "新"), streaming_mode=False)
        assert await one.do("PUT", card={"type": "card_json", "data": json.dumps(new)}) == 0
        assert one.shown() == new
        assert await one.do("PUT", card={"type": "card_json", "data": "{"}) == 99992402
        assert await one.do("PUT", card="neu") == 99992402
        template = {"type": "template", "data": '{"template_id":"t1"}'}
        assert await one.do("PUT", card=template) == 0
        assert one.shown() == {"type": "template", "data": {"template_id": "t1"}}


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({}, 300307),
        ({"elements": []}, 300303),
        (card(update_multi=False), 300302),
        (card(text("a"), text("a")), 300301),
        (card(*[{"tag": "hr"}] * 201), 300305),
        (card({"tag": "note", "elements": []}), 200861),
        (card({"tag": "chart", "chart_spec": {}}), 200550),
        (card({"tag": "markdown"}), 200621),
        (card(text("a", "x" * 40_000)), 200860),
    ],
)
async def test_a_card_that_is_none_gets_no_id_and_takes_no_place(wrong: Any, code: int) -> None:
    async with kit() as one:
        before = one.shown()
        given = {"type": "card_json", "data": json.dumps(wrong)}
        assert await one.client.code("POST", CARDS, body=given) == code
        assert await one.do("PUT", card=given) == code
        assert one.shown() == before


async def test_a_long_text_may_be_streamed_but_not_without_end() -> None:
    async with kit() as one:
        assert await one.stream("a", "好" * 100_000) == 0
        assert await one.stream("a", "好" * 100_001) == 200860
        assert await one.stream("a", "") == 99992402


async def test_a_card_is_sent_once_within_14_days_and_only_where_there_is_one() -> None:
    async with kit() as one:
        for card_id in (one.card_id, "7355"):
            refused = await one.client.send({"type": "card", "data": {"card_id": card_id}}, "interactive")
            assert (refused["code"], "200740" in refused["msg"]) == (230099, True)
        assert await one.client.code("PUT", f"{CARDS}/7355", body={"sequence": 1}) != 0
        card_id = await one.make(card(text("a")))
        one.client.sandbox.clock.jump(14 * DAY + 1)
        refused = await one.client.send({"type": "card", "data": {"card_id": card_id}}, "interactive")
        assert (refused["code"], "200750" in refused["msg"]) == (230099, True)
        assert await one.stream("a", "晚") == 200750


async def test_a_card_that_was_sent_without_an_id_can_be_given_one() -> None:
    async with running(SandboxConfig(scenario="quiet", rate_limits=False)) as client:
        one = Kit(client)
        one.message_id = (await client.sent(card(text("a")), "interactive"))["message_id"]
        for _ in range(2):
            one.card_id = (await client.data("POST", f"{CARDS}/id_convert", body={"message_id": one.message_id}))[
                "card_id"
            ]
        assert await one.stream("a", "好") == 0
        assert one.elements() == [text("a", "好")]
        said = client.say().message_id
        assert await client.code("POST", f"{CARDS}/id_convert", body={"message_id": said}) == 200740
        assert await client.code("POST", f"{CARDS}/id_convert", body={}) == 99992402


async def test_a_patched_message_is_the_card_of_its_id() -> None:
    async with kit() as one:
        new = card(text("p", "换"), update_multi=True)
        path = f"/im/v1/messages/{one.message_id}"
        assert await one.client.code("PATCH", path, body={"content": json.dumps(new)}) == 0
        assert await one.stream("p", "换了") == 0
        assert one.elements() == [text("p", "换了")]
        other = await one.make(new)
        reference = json.dumps({"type": "card", "data": {"card_id": other}})
        assert await one.client.code("PATCH", path, body={"content": reference}) == 230001


async def test_ten_operations_a_second_are_taken_for_each_card() -> None:
    async with kit(rate_limits=True) as one:
        codes = [await one.stream("a", str(number)) for number in range(12)]
        assert codes.count(99991400) >= 1
        assert codes[:10] == [0] * 10


async def test_it_needs_its_scope() -> None:
    async with kit() as one:
        one.client.sandbox.world.app.scopes.discard("cardkit:card:write")
        assert await one.stream("a", "好") == 99991672
