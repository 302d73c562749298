"""The state of the offline platform and what can happen in it; it knows neither HTTP nor connections.

An operation changes the state and hands the event the platform would announce to the listener. Times are ms UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from .chat import Chat, Message, Pin, Reaction, Timeline
from .events import Events
from .ids import Ids
from .people import App, People
from .scenario import act as acts
from .scenario.act import Act, Forwarded, Mention, Person, Resource

Listener = Callable[[bytes], None]
Watcher = Callable[["Chat", "Message | None"], None]
"""Hears of each chat in which something changed, with the message that is new or different, if it is one."""


@dataclass(slots=True)
class Refusal:
    """Why a download of one resource fails, and how often still."""

    code: int
    """What is answered; 0 = the bytes begin to come and then the line is cut."""
    after: int = 0
    """Bytes that come before the line is cut."""
    times: int = 0
    """Failures left; 0 = for ever."""


class Impossible(Exception):
    """Something that cannot happen: an unknown chat, message or person, or a message id used twice."""


class World:
    """One tenant: an app, its people, their chats and messages."""

    def __init__(self, app: App, ids: Ids, clock: Callable[[], int], listener: Listener) -> None:
        self.app = app
        self.people = People(app)
        self.chats: dict[str, Chat] = {}
        self.messages: dict[str, Message] = {}
        self.resources: dict[str, Resource] = {}
        """What people put into messages, by image or file key."""
        self.refusals: dict[str, Refusal] = {}
        """Downloads that fail although the resource is there, by key."""
        self.forwarded: set[str] = set()
        """The ids of messages inside merged forwards."""
        self.watchers: list[Watcher] = []
        self._topics: dict[str, Timeline] = {}
        self._ids = ids
        self._now = clock
        self._listener = listener
        self._events = Events(app, self.people, ids)

    def now(self) -> int:
        """The time in this world: the scenario's while one is played."""
        return self._now()

    def settle(self, people: Iterable[Person], chats: Iterable[acts.Chat]) -> None:
        """Brings in a cast before anything happens."""
        for person in people:
            self.people.add(person)
        for given in chats:
            self.chats[given.chat_id] = Chat(
                chat_id=given.chat_id,
                name=given.name,
                mode=given.kind,
                owner=given.owner or next(iter(given.members), ""),
                members=dict.fromkeys(given.members, self._now()),
                created_at=self._now(),
            )

    def play(self, act: Act) -> None:
        """Does what the act says. Raises ``Impossible``."""
        match act:
            case acts.Say():
                self._say(act)
            case acts.React():
                self.react(self.message(act.message), act.person, act.emoji, at=act.at)
            case acts.Unreact():
                self._unreact(act)
            case acts.Recall():
                self.recall(self.message(act.message), act.by, at=act.at)
            case acts.Pin():
                self.pin(self.message(act.message), act.by, at=act.at)
            case acts.Unpin():
                self.unpin(self.message(act.message))
            case acts.Edit():
                content = orjson.dumps(act.content).decode()
                self.edit(self.message(act.message), content, at=act.at)
            case acts.Join():
                self.join(self.chat(act.chat), act.person, by=act.by, at=act.at)
            case acts.Leave():
                self.leave(self.chat(act.chat), act.person, by=act.by, at=act.at)

    def chat(self, chat_id: str) -> Chat:
        """The chat with this id. Raises ``Impossible``."""
        try:
            return self.chats[chat_id]
        except KeyError:
            raise Impossible(f"there is no chat {chat_id}") from None

    def message(self, message_id: str) -> Message:
        """The message with this id. Raises ``Impossible``."""
        try:
            return self.messages[message_id]
        except KeyError:
            raise Impossible(f"there is no message {message_id}") from None

    def topic(self, thread_id: str) -> Timeline | None:
        """The messages of a topic (话题), its root first; None where there is no such topic."""
        return self._topics.get(thread_id)

    def private_chat(self, person: Person) -> Chat:
        """The chat of the bot and one person, opened when first needed."""
        for chat in self.chats.values():
            if chat.mode == "p2p" and person.open_id in chat.members:
                return chat
        now = self._now()
        chat = Chat(self._ids.chat(), "", "p2p", members={person.open_id: now}, created_at=now)
        self.chats[chat.chat_id] = chat
        self.changed(chat)
        return chat

    def say(
        self,
        chat: Chat,
        sender: str,
        type: str,  # noqa: A002 — the field's own word
        content: str,
        *,
        message_id: str = "",
        at: int | None = None,
        parent: str = "",
        root: str = "",
        in_topic: bool = False,
        mentions: tuple[Mention, ...] = (),
        card: str = "",
        forwarded: tuple[Forwarded, ...] = (),
    ) -> Message:
        """A message of ``sender`` (an open_id, the app_id, or empty for the platform), announced if a person's."""
        message_id = message_id or self._ids.message()
        if message_id in self.messages:
            raise Impossible(f"there already is a message {message_id}")
        now = self._now() if at is None else at
        if parent and not root:
            before = self.messages.get(parent)
            root = (before.root or parent) if before is not None else parent
        message = Message(
            message_id=message_id,
            chat=chat,
            sender=sender,
            type=type,
            content=content,
            at=now,
            updated_at=now,
            parent=parent,
            root=root,
            mentions=mentions,
            card=card,
            forwarded=forwarded,
        )
        self.messages[message_id] = message
        self.forwarded.update(child.message for child in forwarded)
        chat.active_at = now
        if in_topic or chat.mode == "topic":
            self._file_under_topic(message)
        if not (message.thread and message.root):
            chat.timeline.add(message)
        self.changed(chat, message)
        self._announce(self._events.said(message))
        return message

    def _file_under_topic(self, message: Message) -> None:
        opener = self.messages.get(message.root) if message.root else message
        if opener is None:  # The root was before the history this world knows.
            message.thread = f"omt_{message.root.removeprefix('om_')[:12]}"
        elif not opener.thread:
            opener.thread = self._ids.thread()
            self._topics.setdefault(opener.thread, Timeline()).add(opener)
        if opener is not None:
            message.thread = opener.thread
        if message is not opener:
            self._topics.setdefault(message.thread, Timeline()).add(message)

    def _say(self, act: acts.Say) -> None:
        chat = self.chat(act.chat)
        for resource in act.resources:
            self.resources[resource.key] = resource
        mentions = act.mentions
        if any(mention.open_id == acts.BOT for mention in mentions):
            mentions = tuple(
                replace(mention, open_id=self.app.open_id) if mention.open_id == acts.BOT else mention
                for mention in mentions
            )
        self.say(
            chat,
            act.sender,
            act.type,
            orjson.dumps(act.content).decode(),
            message_id=act.message,
            at=act.at,
            parent=act.parent,
            root=act.root,
            in_topic=act.thread,
            mentions=mentions,
            forwarded=act.forwarded,
        )

    def react(self, message: Message, operator: str, emoji: str, *, at: int | None = None) -> Reaction:
        """An emoji put on a message; the one that is already there when the operator repeats it."""
        reactions = message.reactions = message.reactions or {}
        known = reactions.get((operator, emoji))
        if known is not None:
            return known
        reaction = Reaction(self._ids.reaction(), operator, emoji, self._now() if at is None else at)
        reactions[operator, emoji] = reaction
        self.changed(message.chat, message)
        self._announce(self._events.reacted(reaction, message, reaction.at, removed=False))
        return reaction

    def unreact(self, message: Message, reaction: Reaction, *, at: int | None = None) -> None:
        """A reaction taken off again."""
        if message.reactions is None or message.reactions.pop((reaction.operator, reaction.emoji), None) is None:
            raise Impossible(f"{message.message_id} has no such reaction")
        self.changed(message.chat, message)
        now = self._now() if at is None else at
        self._announce(self._events.reacted(reaction, message, now, removed=True))

    def _unreact(self, act: acts.Unreact) -> None:
        message = self.message(act.message)
        reaction = (message.reactions or {}).get((act.person, act.emoji))
        if reaction is None:
            raise Impossible(f"{act.person} has no {act.emoji} on {act.message}")
        self.unreact(message, reaction, at=act.at)

    def recall(self, message: Message, by: str, *, at: int | None = None) -> None:
        """A message taken back, by its sender or the owner of the group; a second time changes nothing."""
        if message.recalled:
            return
        now = self._now() if at is None else at
        message.recalled = True
        message.updated_at = now
        message.chat.pins.pop(message.message_id, None)
        self.changed(message.chat, message)
        self._announce(self._events.recalled(message, now, by_owner_of_chat=by != message.sender))

    def edit(
        self,
        message: Message,
        content: str,
        *,
        at: int | None = None,
        type: str = "",  # noqa: A002 — the field's own word
        mentions: tuple[Mention, ...] | None = None,
        card: str = "",
    ) -> None:
        """New content for a message."""
        now = self._now() if at is None else at
        message.content = content
        message.type = type or message.type
        message.mentions = message.mentions if mentions is None else mentions
        message.card = card or message.card
        message.edits += 1
        message.updated_at = now
        self.changed(message.chat, message)
        self._announce(self._events.edited(message, now))

    def pin(self, message: Message, by: str, *, at: int | None = None) -> Pin:
        """A message pinned, without an event (FEISHU.md §2.8); the existing pin when it already was."""
        pins = message.chat.pins
        if message.message_id not in pins:
            pins[message.message_id] = Pin(message.message_id, by, self._now() if at is None else at)
            self.changed(message.chat, message)
        return pins[message.message_id]

    def unpin(self, message: Message) -> None:
        """A message pinned no more, without an event; fine when it was not."""
        if message.chat.pins.pop(message.message_id, None) is not None:
            self.changed(message.chat, message)

    def join(self, chat: Chat, open_id: str, *, by: str = "", at: int | None = None) -> None:
        """Somebody comes into the chat."""
        now = self._now() if at is None else at
        if open_id not in chat.members:
            chat.members[open_id] = now
            self.changed(chat)
            self._announce(self._events.moved(chat, open_id, by, now, joined=True))

    def leave(self, chat: Chat, open_id: str, *, by: str = "", at: int | None = None) -> None:
        """Somebody goes out of the chat, or is sent."""
        now = self._now() if at is None else at
        if chat.members.pop(open_id, None) is not None:
            self.changed(chat)
            self._announce(self._events.moved(chat, open_id, by, now, joined=False))

    def click(self, message: Message, open_id: str, action: Mapping[str, Any]) -> bytes | None:
        """The callback of somebody using a card; it is not announced but answered, so it is returned."""
        return self._events.clicked(message, open_id, action, self._now())

    def changed(self, chat: Chat, message: Message | None = None) -> None:
        """Tells whoever watches; every change of what people see of a chat ends here."""
        for watcher in self.watchers:
            watcher(chat, message)

    def _announce(self, event: bytes | None) -> None:
        if event is not None:
            self._listener(event)
