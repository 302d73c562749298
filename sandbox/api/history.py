"""``im/v1/messages`` as a reader: one message, and the history of a chat or topic (FEISHU.md §4.2)."""

from __future__ import annotations

from typing import Any

import orjson

from ..auth import require
from ..bodies import whole
from ..chat import Message
from ..content import BAD_PARAMETER
from ..endpoint import Call, Endpoint
from ..paging import after, position
from ..permissions import GROUP_MESSAGES, READ
from ..reply import ApiError
from ..scenario.act import Forwarded, Mention
from ..world import World

NO_SUCH_MESSAGE, BOT_OUT, NO_TOPIC = 99992354, 230002, 230019
RECALLED_TEXT = "This message was recalled"
MERGED_TEXT = "Merged and Forwarded Message"
ORDERS = ("ByCreateTimeAsc", "ByCreateTimeDesc")


class Documents:
    """Messages in the form in which the API shows them, which is not the form of the event."""

    def __init__(self, world: World) -> None:
        self._world = world

    def find(self, message_id: str) -> Message:
        """The message with this id. Raises ``ApiError`` 99992354, or 230002 when the bot is not in its chat."""
        message = self._world.messages.get(message_id)
        if message is None:
            raise ApiError(
                NO_SUCH_MESSAGE, f"The request you send is not a valid {{message_id}} or not exists, {message_id}"
            )
        if not message.chat.has_bot:
            raise ApiError(BOT_OUT, "Bot/User can NOT be out of the chat.")
        return message

    def message(self, message: Message, *, id_type: str = "open_id", as_card: bool = False) -> dict[str, Any]:
        """One message; ``as_card`` shows a card as it was sent."""
        tenant_key = self._world.app.tenant_key
        shown: dict[str, Any] = {"message_id": message.message_id}
        if message.parent:
            shown["root_id"] = message.root
            shown["parent_id"] = message.parent
        if message.thread:
            shown["thread_id"] = message.thread
        shown |= {
            "msg_type": message.type,
            "create_time": str(message.at),
            "update_time": str(message.updated_at),
            "deleted": message.recalled,
            "updated": message.edits > 0,
            "chat_id": message.chat.chat_id,
            "sender": {**self._sender(message, id_type), "tenant_key": tenant_key},
            "body": {"content": _content(message, as_card)},
        }
        if message.mentions and not message.recalled:
            shown["mentions"] = self._mentions(message.mentions, id_type)
        return shown

    def forwarded(self, message: Message, *, id_type: str = "open_id") -> list[dict[str, Any]]:
        """What a merged forward holds, each naming in ``upper_message_id`` the forward it is in (Appendix B)."""
        if message.recalled:
            return []
        return [self._child(child, message, id_type) for child in message.forwarded]

    def _child(self, child: Forwarded, message: Message, id_type: str) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "message_id": child.message,
            "msg_type": child.type,
            "create_time": str(child.at),
            "update_time": str(child.at),
            "deleted": False,
            "updated": False,
            "chat_id": child.chat,
            "sender": {
                "id": self._world.people.show(child.sender, id_type),
                "id_type": id_type,
                "sender_type": "user",
                "tenant_key": self._world.app.tenant_key,
            },
            "body": {"content": MERGED_TEXT if child.type == "merge_forward" else orjson.dumps(child.content).decode()},
            "upper_message_id": child.upper or message.message_id,
        }
        if child.mentions:
            shown["mentions"] = self._mentions(child.mentions, id_type)
        return shown

    def _mentions(self, mentions: tuple[Mention, ...], id_type: str) -> list[dict[str, Any]]:
        return [
            {
                "key": mention.key,
                "id": self._world.people.show(mention.open_id, id_type),
                "id_type": id_type,
                "name": mention.name,
                "tenant_key": self._world.app.tenant_key,
            }
            for mention in mentions
        ]

    def _sender(self, message: Message, id_type: str) -> dict[str, str]:
        if not message.sender:
            return {"id": "", "id_type": "", "sender_type": "unknown"}
        if message.by_app:
            return {"id": message.sender, "id_type": "app_id", "sender_type": "app"}
        return {"id": self._world.people.show(message.sender, id_type), "id_type": id_type, "sender_type": "user"}


class History:
    """The operations that read messages."""

    def __init__(self, world: World, documents: Documents) -> None:
        self._world = world
        self._documents = documents

    async def get(self, call: Call) -> dict[str, Any]:
        """One message, and what it holds when it is a merged forward. A group's needs ``im:message.group_msg`` too."""
        message = self._documents.find(call.path["message_id"])
        if message.chat.mode != "p2p":
            require(self._world.app, GROUP_MESSAGES)
        inside = self._documents.forwarded(message, id_type=call.text("user_id_type", "open_id"))
        return {"items": [self._show(message, call), *inside]}

    async def list_messages(self, call: Call) -> dict[str, Any]:
        """A page of a chat's messages, without the replies inside topics, or of one topic's."""
        container, wanted = call.text("container_id_type"), call.text("container_id")
        if container == "chat":
            chat = self._world.chats.get(wanted)
            if chat is None or not chat.has_bot:
                raise ApiError(BOT_OUT, "Bot/User can NOT be out of the chat.")
            if chat.mode != "p2p":
                require(self._world.app, GROUP_MESSAGES)
            timeline = chat.timeline
            first, last = timeline.between(_ms(call, "start_time", 0), _ms(call, "end_time", 999))
        elif container == "thread":
            require(self._world.app, GROUP_MESSAGES)
            topic = self._world.topic(wanted)
            if topic is None:
                raise ApiError(NO_TOPIC, f"The thread does not exist: {wanted}")
            timeline = topic
            first, last = 0, len(topic)
        else:
            raise ApiError(BAD_PARAMETER, "Your request contains an invalid request parameter: container_id_type.")
        order = call.text("sort_type", ORDERS[0])
        if order not in ORDERS:
            raise ApiError(BAD_PARAMETER, "Your request contains an invalid request parameter: sort_type.")
        done = position(call.text("page_token"), BAD_PARAMETER)
        size = call.page_size(most=50, code=BAD_PARAMETER)
        if order == ORDERS[0]:
            found = timeline.slice(min(first + done, last), min(first + done + size, last))
        else:
            found = timeline.slice(max(last - done - size, first), max(last - done, first))[::-1]
        return {"items": [self._show(message, call) for message in found], **after(done + size, last - first)}

    def _show(self, message: Message, call: Call) -> dict[str, Any]:
        return self._documents.message(
            message,
            id_type=call.text("user_id_type", "open_id"),
            as_card=call.text("card_msg_content_type") in {"user_card_content", "raw_card_content"},
        )

    def endpoints(self) -> list[Endpoint]:
        """The operations as rows."""
        return [
            Endpoint("im.v1.message.get", "GET", "/open-apis/im/v1/messages/{message_id}", self.get, READ),
            Endpoint("im.v1.message.list", "GET", "/open-apis/im/v1/messages", self.list_messages, READ),
        ]


def _content(message: Message, as_card: bool) -> str:
    if message.recalled:
        return RECALLED_TEXT
    if message.type == "merge_forward":
        return MERGED_TEXT
    return message.card if as_card and message.card else message.content


def _ms(call: Call, name: str, rest: int) -> int | None:
    """A time given in seconds (§4.2), as ms; ``rest`` ms reach to the end of that second."""
    given = call.text(name)
    if not given:
        return None
    seconds = whole(given)
    if seconds is None:
        raise ApiError(BAD_PARAMETER, f"Your request contains an invalid request parameter: {name} {given!r}")
    return seconds * 1000 + rest
