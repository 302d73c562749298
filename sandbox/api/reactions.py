"""``im/v1/messages/…/reactions``: emoji put on and taken off (FEISHU.md §4.4)."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

from ..chat import Message, Reaction
from ..endpoint import Call, Endpoint
from ..paging import page
from ..permissions import REACTIONS_READ, REACTIONS_WRITE
from ..reply import ApiError
from ..world import World

BAD_EMOJI, NO_MESSAGE, NOT_YOURS, NO_ACCESS, BAD_REACTION_ID, INVISIBLE = 231001, 231003, 231007, 231008, 231010, 231018
BAD_PARAMETER = 230001
MOST_QUERIES, MOST_OF_EACH = 20, 10
EMOJI = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
"""The shape of an emoji's name; the platform's own list is longer than what this checks for."""


class Reactions:
    """The operations on reactions."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def create(self, call: Call) -> dict[str, Any]:
        """An emoji by the app."""
        message = self._message(call)
        wanted = call.body.get("reaction_type")
        emoji = wanted.get("emoji_type") if isinstance(wanted, dict) else None
        if not isinstance(emoji, str) or not EMOJI.fullmatch(emoji):
            raise ApiError(BAD_EMOJI, f"The reaction type is invalid: {emoji!r}")
        return self._show(self._world.react(message, self._world.app.app_id, emoji), "open_id")

    async def list_reactions(self, call: Call) -> dict[str, Any]:
        """A page of a message's reactions, of one emoji or of all."""
        message = self._message(call)
        wanted = call.text("reaction_type")
        found = [each for each in (message.reactions or {}).values() if wanted in {"", each.emoji}]
        items, rest = page(found, call.text("page_token"), call.page_size(most=50), NO_MESSAGE)
        return {"items": [self._show(each, call.text("user_id_type", "open_id")) for each in items], **rest}

    async def batch_query(self, call: Call) -> dict[str, Any]:
        """The reactions of up to 20 messages, up to 10 of each on a page (§4.4); the form is the official SDK's.

        What cannot be shown of one message fails for that message alone.
        """
        queries, size = call.body.get("queries"), call.body.get("page_size_per_message", MOST_OF_EACH)
        if not isinstance(queries, list) or not 1 <= len(queries) <= MOST_QUERIES:
            raise ApiError(BAD_PARAMETER, f"queries must hold 1 to {MOST_QUERIES} messages")
        if not isinstance(size, int) or not 1 <= size <= MOST_OF_EACH:
            raise ApiError(BAD_PARAMETER, f"page_size_per_message must be between 1 and {MOST_OF_EACH}")
        emoji, id_type = call.body.get("reaction_type") or "", call.text("user_id_type", "open_id")
        if not isinstance(emoji, str):
            raise ApiError(BAD_PARAMETER, "reaction_type must be a string")
        details: list[dict[str, Any]] = []
        counts: list[dict[str, Any]] = []
        failures: list[dict[str, Any]] = []
        for query in queries:
            if not isinstance(query, dict) or not isinstance(query.get("message_id"), str):
                raise ApiError(BAD_PARAMETER, "each of queries needs a message_id")
            if not isinstance(query.get("page_token"), str | None):
                raise ApiError(BAD_PARAMETER, "page_token must be a string")
            message_id = query["message_id"]
            try:
                message = self._find(message_id)
                found = [each for each in (message.reactions or {}).values() if emoji in {"", each.emoji}]
                items, rest = page(found, query.get("page_token") or "", size, NO_MESSAGE)
            except ApiError as problem:
                failures.append({"message_id": message_id, "fail_reason": f"{problem.code} {problem}"})
                continue
            shown = [_flat(self._show(each, id_type)) for each in items]
            details.append({"message_id": message_id, **rest, "message_reaction_items": shown})
            numbers = Counter(each.emoji for each in found)
            listed = [{"reaction_type": name, "count": str(number)} for name, number in numbers.items()]
            counts.append({"message_id": message_id, "reaction_count": listed})
        return {
            "success_msg_reaction_details": details,
            "success_msg_reaction_counts": counts,
            "fail_msg_reaction_details": failures,
        }

    async def delete(self, call: Call) -> dict[str, Any]:
        """The app's own emoji taken off."""
        message = self._message(call)
        wanted = call.path["reaction_id"]
        reaction = next((each for each in (message.reactions or {}).values() if each.reaction_id == wanted), None)
        if reaction is None:
            raise ApiError(BAD_REACTION_ID, f"The reaction_id is invalid: {wanted}")
        if reaction.operator != self._world.app.app_id:
            raise ApiError(NOT_YOURS, "The operator cannot delete another's reaction.")
        self._world.unreact(message, reaction)
        return self._show(reaction, "open_id")

    def _message(self, call: Call) -> Message:
        return self._find(call.path["message_id"])

    def _find(self, message_id: str) -> Message:
        message = self._world.messages.get(message_id)
        if message is None:
            raise ApiError(NO_MESSAGE, f"The message is not found: {message_id}")
        if not message.chat.has_bot:
            raise ApiError(NO_ACCESS, "The operator is not in the chat.")
        if message.recalled:
            raise ApiError(INVISIBLE, "The message is invisible to the operator.")
        return message

    def _show(self, reaction: Reaction, id_type: str) -> dict[str, Any]:
        return {
            "reaction_id": reaction.reaction_id,
            "operator": {
                "operator_id": self._world.people.show(reaction.operator, id_type),
                "operator_type": "app" if reaction.by_app else "user",
            },
            "action_time": str(reaction.at),
            "reaction_type": {"emoji_type": reaction.emoji},
        }

    def endpoints(self) -> list[Endpoint]:
        """The operations as rows."""
        all_of_one = "/open-apis/im/v1/messages/{message_id}/reactions"
        batch = "/open-apis/im/v1/messages/reactions/batch_query"
        return [
            Endpoint("im.v1.messageReaction.batchQuery", "POST", batch, self.batch_query, REACTIONS_READ),
            Endpoint("im.v1.messageReaction.create", "POST", all_of_one, self.create, REACTIONS_WRITE),
            Endpoint("im.v1.messageReaction.list", "GET", all_of_one, self.list_reactions, REACTIONS_READ),
            Endpoint(
                "im.v1.messageReaction.delete", "DELETE", f"{all_of_one}/{{reaction_id}}", self.delete, REACTIONS_WRITE
            ),
        ]


def _flat(reaction: dict[str, Any]) -> dict[str, Any]:
    """As the query of many messages shows it, unlike the list of one."""
    kind: dict[str, Any] = reaction["reaction_type"]
    return {name: value for name, value in reaction.items() if name != "reaction_type"} | kind
