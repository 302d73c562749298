"""What people do in a chat, as bytes that are pushed; it gives messages and events their IDs, and knows threads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from . import pushes

CHAT: Final = "oc_1"


class _Said(NamedTuple):
    chat_id: str
    root_id: str


class Group:
    """The people and the messages of a test; IDs are ``om_1``, ``ev_1`` and so on, in order."""

    def __init__(self, people: Mapping[str, str]) -> None:
        self._people = people
        self.chat = CHAT
        """Where people talk unless a test says otherwise."""
        self._messages = 0
        self._events = 0
        self._said: dict[str, _Said] = {}

    @property
    def last_event(self) -> str:
        """The ID of the event made last."""
        return f"ev_{self._events}"

    def placed(self, message_id: str, chat_id: str) -> None:
        """The bot's message is in this chat."""
        self._said.setdefault(message_id, _Said(chat_id, message_id))

    def message(
        self,
        at: int,
        sender: str,
        kind: str,
        content: Mapping[str, Any],
        *,
        chat: str = "",
        private: bool = False,
        reply_to: str = "",
        thread: str = "",
        mention: Sequence[str] = (),
        id: str = "",  # noqa: A002  # It is what the platform calls it.
    ) -> tuple[str, bytes]:
        """A message and its ID; a text begins with who is mentioned."""
        self._messages += 1
        message_id = id or f"om_{self._messages}"
        chat_id = f"oc_private_{sender}" if private else chat or self.chat
        parent = self._said.get(reply_to)
        root_id = (parent.root_id if parent else reply_to) if reply_to else ""
        self._said[message_id] = _Said(chat_id, root_id or message_id)
        mentions = [
            pushes.mention(number, who, self._people.get(who, who)) for number, who in enumerate(mention, start=1)
        ]
        if kind == "text" and mentions:
            placeholders = " ".join(str(one["key"]) for one in mentions)
            content = {**content, "text": f"{placeholders} {content['text']}"}
        return message_id, pushes.message(
            self._event_id(),
            at,
            message_id=message_id,
            sender=sender,
            chat_id=chat_id,
            private=private,
            kind=kind,
            content=content,
            parent_id=reply_to,
            root_id=root_id,
            thread_id=thread,
            mentions=mentions,
        )

    def reaction(self, at: int, who: str, message_id: str, emoji: str, *, added: bool) -> bytes:
        """An emoji is put on a message or taken off."""
        return pushes.reaction(self._event_id(), at, message_id=message_id, who=who, emoji=emoji, added=added)

    def recall(self, at: int, message_id: str) -> bytes:
        """A message is taken back."""
        return pushes.recall(self._event_id(), at, message_id=message_id, chat_id=self._chat_of(message_id))

    def read(self, at: int, who: str, message_ids: Sequence[str]) -> bytes:
        """Somebody reads what the bot wrote in private."""
        return pushes.read(self._event_id(), at, message_ids=message_ids, who=who)

    def members(self, at: int, people: Sequence[str], chat: str, *, joined: bool) -> bytes:
        """People come into a group, or leave it."""
        who = {one: self._people.get(one, one) for one in people}
        return pushes.members(self._event_id(), at, chat_id=chat or self.chat, who=who, joined=joined)

    def press(self, at: int, who: str, message_id: str, action: Mapping[str, Any]) -> bytes:
        """Somebody uses a part of a card."""
        chat_id = self._chat_of(message_id)
        return pushes.press(self._event_id(), at, who=who, message_id=message_id, chat_id=chat_id, action=action)

    def event(self, at: int, event_type: str, event: Mapping[str, Any]) -> bytes:
        """Any event."""
        return pushes.pushed(event_type, self._event_id(), at, event)

    def _event_id(self) -> str:
        self._events += 1
        return self.last_event

    def _chat_of(self, message_id: str) -> str:
        said = self._said.get(message_id)
        return said.chat_id if said else self.chat
