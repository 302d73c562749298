"""The query of many messages' reactions in the sandbox, and that the official SDK reads it (FEISHU.md §4.4)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sandbox_client import Client, running

from sandbox.config import SandboxConfig

BATCH = "/im/v1/messages/reactions/batch_query"


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with running(SandboxConfig(scenario="quiet", rate_limits=False)) as client:
        yield client


def queries(*messages: Any, **more: Any) -> dict[str, Any]:
    return {"queries": [{"message_id": getattr(each, "message_id", each)} for each in messages], **more}


async def test_it_shows_the_reactions_of_each_message(client: Client) -> None:
    world, people = client.sandbox.world, client.people
    liked, plain = client.say("一"), client.say("二")
    world.react(liked, people[0].open_id, "OK")
    world.react(liked, world.app.app_id, "DONE")
    data = await client.data("POST", BATCH, body=queries(liked, plain))
    first, second = data["success_msg_reaction_details"]
    assert (first["message_id"], first["has_more"], first["page_token"]) == (liked.message_id, False, "")
    assert [(each["emoji_type"], each["operator"]) for each in first["message_reaction_items"]] == [
        ("OK", {"operator_id": people[0].open_id, "operator_type": "user"}),
        ("DONE", {"operator_id": world.app.app_id, "operator_type": "app"}),
    ]
    assert second["message_reaction_items"] == []
    counts = {each["reaction_type"]: each["count"] for each in data["success_msg_reaction_counts"][0]["reaction_count"]}
    assert counts == {"OK": "1", "DONE": "1"}
    assert data["fail_msg_reaction_details"] == []


async def test_ten_of_a_message_are_a_page(client: Client) -> None:
    message = client.say()
    for n in range(12):
        client.sandbox.world.react(message, client.people[0].open_id, f"E{n}")
    (first,) = (await client.data("POST", BATCH, body=queries(message)))["success_msg_reaction_details"]
    assert (len(first["message_reaction_items"]), first["has_more"]) == (10, True)
    rest = {"queries": [{"message_id": message.message_id, "page_token": first["page_token"]}]}
    (second,) = (await client.data("POST", BATCH, body=rest))["success_msg_reaction_details"]
    assert [each["emoji_type"] for each in second["message_reaction_items"]] == ["E10", "E11"]
    only = (await client.data("POST", BATCH, body=queries(message, reaction_type="E7")))["success_msg_reaction_details"]
    assert [each["emoji_type"] for each in only[0]["message_reaction_items"]] == ["E7"]


async def test_what_cannot_be_shown_fails_alone(client: Client) -> None:
    fine, gone = client.say(), client.say()
    client.sandbox.world.recall(gone, gone.sender)
    data = await client.data("POST", BATCH, body=queries(gone, "om_nowhere", fine))
    assert [each["message_id"] for each in data["success_msg_reaction_details"]] == [fine.message_id]
    reasons = {each["message_id"]: each["fail_reason"][:6] for each in data["fail_msg_reaction_details"]}
    assert reasons == {gone.message_id: "231018", "om_nowhere": "231003"}


@pytest.mark.parametrize(
    "body",
    [{}, {"queries": []}, queries(*["om"] * 21), {"queries": ["om"]}, queries("om", page_size_per_message=11)],
)
async def test_a_wrong_query_is_refused(client: Client, body: dict[str, Any]) -> None:
    assert await client.code("POST", BATCH, body=body) == 230001


async def test_it_needs_the_scope_to_read_reactions(client: Client) -> None:
    client.sandbox.world.app.scopes.difference_update({"im:message.reactions:read", "im:message:readonly"})
    assert await client.code("POST", BATCH, body=queries(client.say())) == 99991672
