"""What people do in a test; every method returns when the plugins are through with all that follows from it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from .group import Group
from .program import Sent


class Doings(ABC):
    """The half of the harness that a test acts with."""

    _group: Group

    @abstractmethod
    async def deliver(self, *bodies: bytes) -> None:
        """Bytes as they are pushed."""

    @abstractmethod
    def _moment(self) -> int:
        """When the next event happens, ms UTC."""

    @abstractmethod
    def _answered(self, event_id: str) -> dict[str, Any]:
        """What was answered to a use of a card."""

    async def say(self, who: str, text: str, **where: Any) -> str:
        """Somebody writes a text; the message's ID.

        ``where``: ``chat`` (a group's ID), ``private=True`` (to the bot), ``reply_to`` (a message), ``thread``,
        ``mention`` (open_ids, ``"all"``, ``"ou_bot"``), ``id`` (else ``om_1``, ``om_2`` …).
        """
        return await self.message(who, "text", {"text": text}, **where)

    async def post(self, who: str, *lines: str, title: str = "", **where: Any) -> str:
        """Somebody writes a rich text of these lines."""
        content = {"title": title, "content": [[{"tag": "text", "text": line, "style": []}] for line in lines]}
        return await self.message(who, "post", content, **where)

    async def image(self, who: str, image_key: str = "img_1", **where: Any) -> str:
        """Somebody sends an image."""
        return await self.message(who, "image", {"image_key": image_key}, **where)

    async def file(self, who: str, file_name: str, file_key: str = "file_1", **where: Any) -> str:
        """Somebody sends a file."""
        return await self.message(who, "file", {"file_key": file_key, "file_name": file_name}, **where)

    async def message(self, who: str, kind: str, content: Mapping[str, Any], **where: Any) -> str:
        """Somebody sends a message of any type; ``where`` as of ``say``."""
        message_id, body = self._group.message(self._moment(), who, kind, content, **where)
        await self.deliver(body)
        return message_id

    async def react(self, who: str, message_id: str, emoji: str = "THUMBSUP") -> None:
        """Somebody puts an emoji on a message."""
        await self.deliver(self._group.reaction(self._moment(), who, message_id, emoji, added=True))

    async def unreact(self, who: str, message_id: str, emoji: str = "THUMBSUP") -> None:
        """Somebody takes an emoji off a message."""
        await self.deliver(self._group.reaction(self._moment(), who, message_id, emoji, added=False))

    async def recall(self, message_id: str) -> None:
        """A message is taken back."""
        await self.deliver(self._group.recall(self._moment(), message_id))

    async def read(self, who: str, *message_ids: str) -> None:
        """Somebody reads messages the bot sent in private."""
        await self.deliver(self._group.read(self._moment(), who, message_ids))

    async def join(self, *people: str, chat: str = "") -> None:
        """People come into a group."""
        await self.deliver(self._group.members(self._moment(), people, chat, joined=True))

    async def leave(self, *people: str, chat: str = "") -> None:
        """People leave a group."""
        await self.deliver(self._group.members(self._moment(), people, chat, joined=False))

    async def press(
        self,
        who: str,
        card: Sent | str,
        value: Mapping[str, Any] | None = None,
        *,
        form: Mapping[str, Any] | None = None,
        option: str = "",
        name: str = "",
        tag: str = "button",
    ) -> dict[str, Any]:
        """Somebody uses a part of a card that the bot sent; what the plugin answered, ``{}`` for nothing.

        ``value`` is what the card has in that part, ``form`` what was filled in, ``option`` what was chosen.
        """
        parts: dict[str, Any] = {"value": value or {}, "form_value": form, "option": option, "name": name}
        action = {"tag": tag, **{key: part for key, part in parts.items() if part or key == "value"}}
        message_id = card.id if isinstance(card, Sent) else card
        await self.deliver(self._group.press(self._moment(), who, message_id, action))
        return self._answered(self._group.last_event)

    async def event(self, event_type: str, event: Mapping[str, Any]) -> None:
        """Any event, by its type and its ``event`` object."""
        await self.deliver(self._group.event(self._moment(), event_type, event))
