"""``im/v1/messages`` as a writer: send, reply, edit, patch a card, recall (FEISHU.md §4.1)."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import replace
from typing import Any

import orjson

from ..chat import Chat, Message
from ..content import BAD_PARAMETER, UNSUPPORTED, Prepared, flatten, prepare
from ..endpoint import Call, Endpoint
from ..entities import Entities
from ..limits import Limits
from ..permissions import RECALL, SEND, UPDATE
from ..reply import ApiError
from ..uploads import Uploads
from ..world import World
from .history import Documents

BOT_OUT, RECALLED, CARD_TOO_OLD, RECEIVER_INVALID = 230002, 230011, 230031, 230034
NO_RECALL, NOT_SENDER, TOO_MANY_EDITS, USER_UNAVAILABLE = 230026, 230071, 230072, 230013
FREQUENT, UUID_IN_PROGRESS = 230020, 18121
UUID_LENGTH, UUID_HOLDS = 50, 3600.0
EDITS, CARD_DAYS = 20, 14
RECEIVERS = ("chat_id", "open_id", "union_id", "user_id", "email")


class Sent:
    """Which message each ``uuid`` of the last hour became."""

    def __init__(self) -> None:
        self._sent: OrderedDict[str, tuple[float, str]] = OrderedDict()

    def get(self, uuid: str) -> str:
        """The message id; empty when the uuid is new."""
        oldest = time.monotonic() - UUID_HOLDS
        while self._sent and next(iter(self._sent.values()))[0] < oldest:
            self._sent.popitem(last=False)
        return self._sent.get(uuid, (0.0, ""))[1]

    def keep(self, uuid: str, message_id: str) -> None:
        """Remembers a success; without a uuid there is nothing to remember."""
        if uuid:
            self._sent[uuid] = (time.monotonic(), message_id)


class Messages:
    """The operations that write messages."""

    def __init__(
        self,
        world: World,
        documents: Documents,
        uploads: Uploads,
        limits: Limits,
        entities: Entities,
        *,
        refuse_repeated: bool,
    ) -> None:
        self._world = world
        self._documents = documents
        self._uploads = uploads
        self._limits = limits
        self._entities = entities
        self._refuse_repeated = refuse_repeated
        self._sent = Sent()

    async def send(self, call: Call) -> dict[str, Any]:
        """A message to a chat, or to a person in the private chat with the bot."""
        id_type = call.text("receive_id_type")
        if id_type not in RECEIVERS:
            raise ApiError(
                99992402,
                "field validation failed",
                error={
                    "field_violations": [
                        {
                            "field": "receive_id_type",
                            "value": id_type,
                            "description": f"receive_id_type is one of {', '.join(RECEIVERS)}",
                        }
                    ]
                },
            )
        chat = self._receiver(id_type, call.body.get("receive_id"))
        return self._say(chat, call.body)

    async def reply(self, call: Call) -> dict[str, Any]:
        """An answer to a message; in its topic when it has one or ``reply_in_thread`` opens one."""
        message = self._standing(call.path["message_id"])
        in_topic = bool(call.body.get("reply_in_thread")) or bool(message.thread)
        return self._say(message.chat, call.body, parent=message, in_topic=in_topic)

    async def edit(self, call: Call) -> dict[str, Any]:
        """New text for an own message of type ``text`` or ``post``."""
        message = self._own(call.path["message_id"])
        msg_type = call.body.get("msg_type")
        if msg_type not in ("text", "post") or message.type not in ("text", "post"):
            raise ApiError(UNSUPPORTED, "This type of message cannot be edited.")
        if message.edits >= EDITS:
            raise ApiError(TOO_MANY_EDITS, "The message has reached the number of times it can be edited.")
        prepared = self._prepare(msg_type, call.body.get("content"))
        self._world.edit(message, prepared.content, type=msg_type, mentions=prepared.mentions)
        return self._documents.message(message)

    async def patch(self, call: Call) -> dict[str, Any]:
        """New content for an own card."""
        message = self._own(call.path["message_id"])
        if message.type != "interactive":
            raise ApiError(BAD_PARAMETER, "Your request contains an invalid request parameter: the message is no card.")
        if self._world.now() - message.at > CARD_DAYS * 86_400_000:
            raise ApiError(CARD_TOO_OLD, "The message was sent more than 14 days ago.")
        self._limits.pace(f"card {message.message_id}", FREQUENT)
        prepared = self._prepare("interactive", call.body.get("content"))
        if prepared.entity:
            raise ApiError(BAD_PARAMETER, "A message keeps its card; a card with an id is changed by that id.")
        for card in (message.card, prepared.card):
            if not _shared(card):
                raise ApiError(BAD_PARAMETER, "A card can be patched when its config.update_multi is true.")
        self._world.edit(message, prepared.content, card=prepared.card)
        return {}

    async def recall(self, call: Call) -> dict[str, Any]:
        """An own message taken back; another's when the bot owns the group."""
        message = self._standing(call.path["message_id"])
        app = self._world.app
        if message.sender != app.app_id and message.chat.owner != app.open_id:
            raise ApiError(NO_RECALL, "The operator has no permission to recall this message.")
        self._world.recall(message, message.sender if message.sender == app.app_id else app.app_id)
        return {}

    def _say(
        self, chat: Chat, body: dict[str, Any], *, parent: Message | None = None, in_topic: bool = False
    ) -> dict[str, Any]:
        uuid = body.get("uuid") or ""
        if not isinstance(uuid, str) or len(uuid) > UUID_LENGTH:
            raise ApiError(
                BAD_PARAMETER, f"Your request contains an invalid request parameter: uuid above {UUID_LENGTH}."
            )
        before = self._sent.get(uuid)
        if before:
            if self._refuse_repeated:
                raise ApiError(UUID_IN_PROGRESS, "A request with the same uuid was made within the hour.")
            return self._documents.message(self._world.message(before))
        if not chat.has_bot:
            raise ApiError(BOT_OUT, "Bot/User can NOT be out of the chat.")
        msg_type = body.get("msg_type")
        prepared = self._prepare(msg_type, body.get("content"))
        self._limits.pace(f"chat {chat.chat_id}", FREQUENT)
        message = self._world.say(
            chat,
            self._world.app.app_id,
            str(msg_type),
            prepared.content,
            parent=parent.message_id if parent is not None else "",
            in_topic=in_topic,
            mentions=prepared.mentions,
            card=prepared.card,
        )
        if prepared.entity:
            self._entities.find(prepared.entity).message = message
        self._sent.keep(uuid, message.message_id)
        return self._documents.message(message)

    def _prepare(self, msg_type: object, content: object) -> Prepared:
        if not isinstance(msg_type, str) or not msg_type:
            raise ApiError(BAD_PARAMETER, "Your request contains an invalid request parameter: msg_type is required.")
        prepared = prepare(msg_type, content, self._world.people, self._uploads.owns)
        if not prepared.entity:
            return prepared
        card = self._entities.sendable(prepared.entity).card
        return replace(prepared, content=orjson.dumps(flatten(card)).decode(), card=orjson.dumps(card).decode())

    def _receiver(self, id_type: str, receive_id: object) -> Chat:
        if not isinstance(receive_id, str) or not receive_id:
            raise ApiError(BAD_PARAMETER, "Your request contains an invalid request parameter: receive_id is required.")
        if id_type == "chat_id":
            chat = self._world.chats.get(receive_id)
            if chat is None:
                raise ApiError(RECEIVER_INVALID, f"The receive_id is invalid: {receive_id}")
            return chat
        person = self._world.people.by(id_type, receive_id)
        if person is None:
            raise ApiError(RECEIVER_INVALID, f"The receive_id is invalid: {receive_id}")
        return self._world.private_chat(person)

    def _standing(self, message_id: str) -> Message:
        message = self._documents.find(message_id)
        if message.recalled:
            raise ApiError(RECALLED, "The message was recalled.")
        return message

    def _own(self, message_id: str) -> Message:
        message = self._standing(message_id)
        if message.sender != self._world.app.app_id:
            raise ApiError(NOT_SENDER, "The operator is not the sender of the message.")
        return message

    def endpoints(self) -> list[Endpoint]:
        """The operations as rows."""
        one = "/open-apis/im/v1/messages/{message_id}"
        return [
            Endpoint("im.v1.message.create", "POST", "/open-apis/im/v1/messages", self.send, SEND),
            Endpoint("im.v1.message.reply", "POST", f"{one}/reply", self.reply, SEND),
            Endpoint("im.v1.message.update", "PUT", one, self.edit, UPDATE),
            Endpoint("im.v1.message.patch", "PATCH", one, self.patch, UPDATE),
            Endpoint("im.v1.message.delete", "DELETE", one, self.recall, RECALL),
        ]


def _shared(card: str) -> bool:
    value = orjson.loads(card)
    config = value.get("config")
    # A card of JSON 2.0 is shared unless it says otherwise; older ones only when they say so.
    default = value.get("schema") == "2.0" or "type" in value
    return bool(config.get("update_multi", default)) if isinstance(config, dict) else default
