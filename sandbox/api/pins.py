"""``im/v1/pins``: messages held up for a group (FEISHU.md §4.6)."""

from __future__ import annotations

from typing import Any

from ..bodies import whole
from ..chat import Chat, Message, Pin
from ..endpoint import Call, Endpoint
from ..limits import Limits
from ..paging import page
from ..permissions import PINS_READ, PINS_WRITE
from ..reply import ApiError
from ..world import World

BAD_PARAMETER, RECALLED, NO_CHAT, NO_PERMISSION, FREQUENT = 230001, 230011, 230045, 230046, 230047
NO_SUCH_MESSAGE = 99992354


class Pins:
    """The operations on pins."""

    def __init__(self, world: World, limits: Limits) -> None:
        self._world = world
        self._limits = limits

    async def create(self, call: Call) -> dict[str, Any]:
        """Pins a message; once more gives the pin there is."""
        message = self._message(str(call.body.get("message_id", "")))
        if message.recalled:
            raise ApiError(RECALLED, "The message was recalled.")
        self._limits.pace(f"pin {message.message_id}", FREQUENT)
        return {"pin": _show(self._world.pin(message, self._world.app.app_id), message.chat)}

    async def delete(self, call: Call) -> dict[str, Any]:
        """Unpins a message; fine when it was not pinned."""
        message = self._message(call.path["message_id"])
        self._limits.pace(f"pin {message.message_id}", FREQUENT)
        self._world.unpin(message)
        return {}

    async def list_pins(self, call: Call) -> dict[str, Any]:
        """A page of a chat's pins, newest first, between two times in ms."""
        chat = self._world.chats.get(call.text("chat_id"))
        if chat is None:
            raise ApiError(NO_CHAT, f"The chat does not exist: {call.text('chat_id')!r}")
        if not chat.has_bot:
            raise ApiError(NO_PERMISSION, "The operator is not in the chat.")
        start, end = _ms(call, "start_time"), _ms(call, "end_time")
        found = [
            pin
            for pin in sorted(chat.pins.values(), key=lambda each: each.at, reverse=True)
            if (start is None or pin.at >= start) and (end is None or pin.at <= end)
        ]
        items, rest = page(found, call.text("page_token"), call.page_size(most=50), BAD_PARAMETER)
        return {"items": [_show(pin, chat) for pin in items], **rest}

    def _message(self, message_id: str) -> Message:
        message = self._world.messages.get(message_id)
        if message is None:
            raise ApiError(
                NO_SUCH_MESSAGE, f"The request you send is not a valid {{message_id}} or not exists, {message_id}"
            )
        if not message.chat.has_bot:
            raise ApiError(NO_PERMISSION, "The operator is not in the chat.")
        return message

    def endpoints(self) -> list[Endpoint]:
        """The operations as rows."""
        pins = "/open-apis/im/v1/pins"
        return [
            Endpoint("im.v1.pin.create", "POST", pins, self.create, PINS_WRITE),
            Endpoint("im.v1.pin.delete", "DELETE", f"{pins}/{{message_id}}", self.delete, PINS_WRITE),
            Endpoint("im.v1.pin.list", "GET", pins, self.list_pins, PINS_READ),
        ]


def _show(pin: Pin, chat: Chat) -> dict[str, Any]:
    return {
        "message_id": pin.message_id,
        "chat_id": chat.chat_id,
        "operator_id": pin.operator,
        "operator_id_type": "app_id" if pin.operator.startswith("cli_") else "open_id",
        "create_time": str(pin.at),
    }


def _ms(call: Call, name: str) -> int | None:
    given = call.text(name)
    if not given:
        return None
    time = whole(given)
    if time is None:
        raise ApiError(BAD_PARAMETER, f"Your request contains an invalid request parameter: {name} {given!r}")
    return time
