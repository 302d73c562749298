"""Typed, light views of what Feishu pushes; it never touches the network, the disk or the clock.

``decode`` turns the bytes of one event into the view of its type, checks every field the kernel relies on, and names
the event's natural key: what makes two deliveries the same event (FEISHU.md §1.6, §2).
"""

from __future__ import annotations

import zlib
from operator import itemgetter
from typing import Any, ClassVar, Final, NoReturn

import orjson

from .errors import Malformed

LANES: Final = 64
LATEST: Final = 250_000_000_000_000
"""ms UTC, in the year 9892: later moments have no day in a calendar."""

MESSAGE: Final = "im.message.receive_v1"
RECALL: Final = "im.message.recalled_v1"
EDIT: Final = "im.message.updated_v1"
"""Unconfirmed that it is pushed, and in which form (FEISHU.md §2.7)."""
READ: Final = "im.message.message_read_v1"
REACTION_ADDED: Final = "im.message.reaction.created_v1"
REACTION_REMOVED: Final = "im.message.reaction.deleted_v1"
CARD_ACTION: Final = "card.action.trigger"
ATTACHMENT_DONE: Final = "attachment.done"
"""Made here, not pushed: the resource a plugin asked for was fetched, or cannot be."""


_MESSAGE_NAMES: Final = ("message_id", "chat_id", "chat_type", "message_type", "create_time", "content")
_STRINGS: Final = {str}
_MESSAGE: Final = itemgetter(*_MESSAGE_NAMES)


class Person:
    """Somebody in an event; ``open_id`` is always there (an app's is its app ID), other ids only with their scopes."""

    __slots__ = ("is_bot", "open_id", "union_id", "user_id")

    def __init__(self, open_id: str, *, union_id: str = "", user_id: str = "", is_bot: bool = False) -> None:
        self.open_id = open_id
        self.union_id = union_id
        self.user_id = user_id
        self.is_bot = is_bot

    def __repr__(self) -> str:
        return f"Person({self.open_id!r}{', bot' if self.is_bot else ''})"


class Mention:
    """One person mentioned by name; ``key`` is the placeholder that stands for them in the text."""

    __slots__ = ("is_bot", "key", "name", "open_id")

    def __init__(self, key: str, open_id: str, name: str, *, is_bot: bool) -> None:
        self.key = key
        self.open_id = open_id
        self.name = name
        self.is_bot = is_bot

    @property
    def is_all(self) -> bool:
        """Whether this is ``@all``, which stands for nobody in particular."""
        return self.key == "@_all" or self.open_id == "all"


class Event:
    """Any event; the typed ones below add what their type promises."""

    __slots__ = ("chat_id", "event", "event_id", "key", "received_at", "seq", "tenant_key", "type")

    seq: int
    """Position in the journal."""
    received_at: int
    """When the journal took it, ms UTC."""
    type: str
    key: str
    """The natural key; deliveries with the same key are the same event."""
    chat_id: str
    """The group it happened in, empty where the platform does not say (reactions)."""
    event: dict[str, Any]
    """The ``event`` object as pushed."""

    def __init__(self, event_type: str, event_id: str, tenant_key: str, event: dict[str, Any]) -> None:
        self.type = event_type
        self.event_id = event_id
        self.tenant_key = tenant_key
        self.event = event
        self.seq = 0
        self.received_at = 0
        chat_id = event.get("chat_id", "")
        self.chat_id = chat_id if isinstance(chat_id, str) else ""
        self.key = f"{event_type}:{event_id}"

    @property
    def refers_to(self) -> tuple[str, ...]:
        """The IDs of the messages it is about."""
        return ()

    @property
    def lane(self) -> int:
        """Events of one group share a lane, 0…63."""
        return zlib.crc32(f"{self.tenant_key}/{self.chat_id}".encode()) % LANES

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.key}>"


class Message(Event):
    """``im.message.receive_v1``: somebody said something (FEISHU.md §2.2)."""

    __slots__ = (
        "_content",
        "_mentions",
        "chat_type",
        "create_time",
        "id",
        "message",
        "message_type",
        "parent_id",
        "root_id",
        "sender",
        "thread_id",
        "update_time",
    )

    id: str
    chat_type: str
    message_type: str
    create_time: int
    """When it was sent, ms UTC."""

    def __init__(self, event_type: str, event_id: str, tenant_key: str, event: dict[str, Any]) -> None:
        super().__init__(event_type, event_id, tenant_key, event)
        message = _object(event, "message")
        sender = _object(event, "sender")
        try:
            given = _MESSAGE(message)
        except KeyError as error:
            _missing(str(error.args[0]))
        self.id, self.chat_id, self.chat_type, self.message_type, created, _ = given
        if not (all(given) and set(map(type, given)) == _STRINGS):
            _missing(next(name for name in _MESSAGE_NAMES if not message[name] or not isinstance(message[name], str)))
        self.message = message
        self.key = f"message:{self.id}"
        self.create_time = _milliseconds(message, "create_time")
        updated = message.get("update_time")
        self.update_time = (
            self.create_time if not updated or updated == created else _milliseconds(message, "update_time")
        )
        self.root_id = _optional(message, "root_id")
        self.parent_id = _optional(message, "parent_id")
        self.thread_id = _optional(message, "thread_id")
        self.sender = _person(_object(sender, "sender_id"), is_bot=sender.get("sender_type") != "user")
        self._content: dict[str, Any] | None = None
        self._mentions: tuple[Mention, ...] | None = None

    @property
    def refers_to(self) -> tuple[str, ...]:
        """The message and its parent."""
        return (self.id, self.parent_id) if self.parent_id else (self.id,)

    @property
    def in_group(self) -> bool:
        """Whether it was said in a group, not in a private chat."""
        return self.chat_type == "group"

    @property
    def content(self) -> dict[str, Any]:
        """The decoded ``content``; its shape depends on ``message_type`` (FEISHU.md §2.3). Raises ``Malformed``."""
        if self._content is None:
            try:
                content = orjson.loads(self.message["content"])
            except orjson.JSONDecodeError as error:
                raise Malformed(f"message.content is not JSON: {error}") from error
            if not isinstance(content, dict):
                raise Malformed("message.content is not a JSON object")
            self._content = content
        return self._content

    @property
    def mentions(self) -> tuple[Mention, ...]:
        """Who is mentioned, in the order given; ``@all`` may be only in the text. Raises ``Malformed``."""
        if self._mentions is None:
            mentions = self.message.get("mentions") or ()
            if not isinstance(mentions, list | tuple):
                _missing("mentions")
            self._mentions = tuple(_mention(entry) for entry in mentions)
        return self._mentions


class Recall(Event):
    """``im.message.recalled_v1``: a message was taken back (FEISHU.md §2.5)."""

    __slots__ = ("message_id", "recall_time")

    def __init__(self, event_type: str, event_id: str, tenant_key: str, event: dict[str, Any]) -> None:
        super().__init__(event_type, event_id, tenant_key, event)
        self.message_id = _text(event, "message_id")
        self.recall_time = _milliseconds(event, "recall_time") if event.get("recall_time") else 0
        self.key = f"recall:{self.message_id}"

    @property
    def refers_to(self) -> tuple[str, ...]:
        """The message it happened to."""
        return (self.message_id,)


class Reaction(Event):
    """An emoji was put on a message or taken off again; the platform does not say in which group (FEISHU.md §2.4)."""

    __slots__ = ("action_time", "added", "emoji", "message_id", "person")

    action_time: int
    """ms UTC; orders adding and removing of the same emoji by the same person."""

    def __init__(self, event_type: str, event_id: str, tenant_key: str, event: dict[str, Any]) -> None:
        super().__init__(event_type, event_id, tenant_key, event)
        self.added = event_type == REACTION_ADDED
        self.message_id = _text(event, "message_id")
        self.emoji = _text(_object(event, "reaction_type"), "emoji_type")
        self.action_time = _milliseconds(event, "action_time")
        if event.get("operator_type") == "app":
            self.person = Person(_text(event, "app_id"), is_bot=True)
        else:
            self.person = _person(_object(event, "user_id"), is_bot=False)
        kind = "added" if self.added else "removed"
        self.key = f"reaction:{kind}:{self.message_id}:{self.person.open_id}:{self.emoji}:{self.action_time}"

    @property
    def refers_to(self) -> tuple[str, ...]:
        """The message it happened to."""
        return (self.message_id,)


class Read(Event):
    """``im.message.message_read_v1``: somebody read messages the bot sent in a private chat (FEISHU.md §2.6)."""

    __slots__ = ("message_ids", "reader")

    def __init__(self, event_type: str, event_id: str, tenant_key: str, event: dict[str, Any]) -> None:
        super().__init__(event_type, event_id, tenant_key, event)
        self.reader = _person(_object(_object(event, "reader"), "reader_id"), is_bot=False)
        ids = event.get("message_id_list")
        if not isinstance(ids, list) or not all(isinstance(entry, str) for entry in ids):
            _missing("message_id_list")
        self.message_ids: tuple[str, ...] = tuple(ids)


class CardAction(Event):
    """``card.action.trigger``: somebody used a card that the bot sent (FEISHU.md §2.10)."""

    __slots__ = ("form", "message_id", "name", "option", "person", "tag", "token", "value")

    value: dict[str, Any]
    """What the card's author put into the part that was used; empty where that is no object."""
    form: dict[str, Any]
    """With a form that was sent: what was filled in, by name; text, or a list of texts."""
    token: str
    """Good for two later updates of the card within 30 minutes."""

    def __init__(self, event_type: str, event_id: str, tenant_key: str, event: dict[str, Any]) -> None:
        super().__init__(event_type, event_id, tenant_key, event)
        action = _object(event, "action")
        context = _maybe(event, "context")
        self.person = _person(_object(event, "operator"), is_bot=False)
        self.message_id = _optional(context, "open_message_id")
        self.chat_id = _optional(context, "open_chat_id")
        self.value = _maybe(action, "value")
        self.form = _maybe(action, "form_value")
        self.tag = _optional(action, "tag")
        self.name = _optional(action, "name")
        self.option = _optional(action, "option")
        self.token = _optional(event, "token")

    @property
    def refers_to(self) -> tuple[str, ...]:
        """The message that shows the card."""
        return (self.message_id,) if self.message_id else ()


class _Kinds:
    by_type: ClassVar[dict[str, type[Event]]] = {
        MESSAGE: Message,
        RECALL: Recall,
        READ: Read,
        REACTION_ADDED: Reaction,
        REACTION_REMOVED: Reaction,
        CARD_ACTION: CardAction,
    }


def decode(body: bytes) -> Event:
    """The typed view of one event. Raises ``Malformed`` with the reason when a field the kernel relies on is amiss."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Malformed(f"not JSON: {error}") from error
    if not isinstance(document, dict):
        raise Malformed("not a JSON object")
    event = _object(document, "event")
    if "header" in document:
        header = _object(document, "header")
        event_type = _text(header, "event_type")
        event_id = _text(header, "event_id")
        tenant_key = _optional(header, "tenant_key")
    else:  # schema 1.0 (FEISHU.md §2.1)
        event_type = _text(event, "type")
        event_id = _text(document, "uuid")
        tenant_key = _optional(event, "tenant_key")
    return _Kinds.by_type.get(event_type, Event)(event_type, event_id, tenant_key, event)


def envelope(event_type: str, event_id: str, event: dict[str, Any]) -> bytes:
    """The bytes of an event made here rather than pushed, in the same schema 2.0."""
    header = {"event_id": event_id, "event_type": event_type, "tenant_key": ""}
    return orjson.dumps({"schema": "2.0", "header": header, "event": event})


def _missing(name: str) -> NoReturn:
    raise Malformed(f"{name} is missing or of the wrong type")


def _object(parent: dict[str, Any], name: str) -> dict[str, Any]:
    value = parent.get(name)
    if not isinstance(value, dict):
        _missing(name)
    return value


def _maybe(parent: dict[str, Any], name: str) -> dict[str, Any]:
    value = parent.get(name)
    return value if isinstance(value, dict) else {}


def _text(parent: dict[str, Any], name: str) -> str:
    value = parent.get(name)
    if not isinstance(value, str) or not value:
        _missing(name)
    return value


def _optional(parent: dict[str, Any], name: str) -> str:
    value = parent.get(name)
    return value if isinstance(value, str) else ""


def _milliseconds(parent: dict[str, Any], name: str) -> int:
    """A time as ms; card callbacks and one documented example give µs (FEISHU.md §2.1)."""
    value = parent.get(name)
    if value.__class__ is str and value.isdigit() and value.isascii() and len(value) <= 16:
        moment = int(value) if len(value) < 16 else int(value) // 1000
        if moment <= LATEST:
            return moment
    _missing(name)


def _person(ids: dict[str, Any], *, is_bot: bool) -> Person:
    return Person(
        _text(ids, "open_id"), union_id=_optional(ids, "union_id"), user_id=_optional(ids, "user_id"), is_bot=is_bot
    )


def _mention(entry: Any) -> Mention:
    if not isinstance(entry, dict):
        _missing("mentions")
    ids = entry.get("id")
    open_id = _optional(ids, "open_id") if isinstance(ids, dict) else ids if isinstance(ids, str) else ""
    return Mention(
        _optional(entry, "key"), open_id, _optional(entry, "name"), is_bot=entry.get("mentioned_type") == "bot"
    )
