"""``im/v1/messages/…/reactions``: emoji put on and taken off (FEISHU.md §4.4)."""

from __future__ import annotations

import re
from typing import Any

from ..chat import Message, Reaction
from ..endpoint import Call, Endpoint
from ..paging import page
from ..permissions import REACTIONS_READ, REACTIONS_WRITE
from ..reply import ApiError
from ..world import World

BAD_EMOJI, NO_MESSAGE, NOT_YOURS, NO_ACCESS, BAD_REACTION_ID, INVISIBLE = 231001, 231003, 231007, 231008, 231010, 231018
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
        message = self._world.messages.get(call.path["message_id"])
        if message is None:
            raise ApiError(NO_MESSAGE, f"The message is not found: {call.path['message_id']}")
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
        return [
            Endpoint("im.v1.messageReaction.create", "POST", all_of_one, self.create, REACTIONS_WRITE),
            Endpoint("im.v1.messageReaction.list", "GET", all_of_one, self.list_reactions, REACTIONS_READ),
            Endpoint(
                "im.v1.messageReaction.delete", "DELETE", f"{all_of_one}/{{reaction_id}}", self.delete, REACTIONS_WRITE
            ),
        ]
