"""Using a card: the app is asked, what it answers is checked and shown, and later it may update the card twice.

The callback is pushed once and waited for as long as an acknowledgement (FEISHU.md §1.6, §2.10). Where the platform's
code is not known it is decided here, and said so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from .chat import Message
from .content import prepare
from .gateway import Failed, Gateway, Offline
from .reply import ApiError
from .world import Impossible, World

TIMED_OUT, BAD_ANSWER = 200341, 200671
"""What the person sees instead of an answer; the first also while the app is not online (unconfirmed)."""
TONES = ("info", "success", "error", "warning")
UPDATES, UPDATE_MINUTES = 2, 30
NO_UPDATE = 230001
"""Unconfirmed: which code refuses a token that is unknown, used up or too old."""


class _Wrong(Exception):
    """The answer is none; the message says why."""


@dataclass(slots=True)
class _Grant:
    """A token of a callback that was answered."""

    message: Message
    until: int
    left: int = UPDATES


class Presses:
    """Who uses which card, and what comes of it."""

    def __init__(self, world: World, gateway: Gateway) -> None:
        self._world = world
        self._gateway = gateway
        self._grants: dict[str, _Grant] = {}

    async def use(self, message: Message, open_id: str, action: Mapping[str, Any]) -> dict[str, Any]:
        """Somebody uses a card: ``code`` 0 or what is shown instead, ``msg``, ``answer``, ``toast``, ``card`` (is new).

        Raises ``Impossible`` for a card that was recalled, and when the app is not subscribed to uses of cards.
        """
        if message.recalled:
            raise Impossible(f"{message.message_id} was recalled")
        callback = self._world.click(message, open_id, action)
        if callback is None:
            raise Impossible("the app is not subscribed to card.action.trigger, or its bot is not in the chat")
        try:
            answer = await self._gateway.call(callback)
            toast, card = _read(answer)
            if card is not None:
                self._replace(message, card)
        except Failed as problem:
            return _shown(BAD_ANSWER, str(problem))
        except Offline as problem:
            return _shown(TIMED_OUT, str(problem))
        except (_Wrong, ApiError) as problem:
            return _shown(BAD_ANSWER, str(problem), answer)
        self._allow(orjson.loads(callback)["event"]["token"], message)
        return _shown(0, "", answer, toast, new=card is not None)

    def update(self, token: str, card: Mapping[str, Any]) -> None:
        """A later card for who used the one before, with the token of the callback. Raises ``ApiError``."""
        grant = self._grants.get(token)
        if grant is None:
            raise ApiError(NO_UPDATE, "the token is unknown, was used twice, or its callback was not answered yet")
        if self._world.now() > grant.until:
            del self._grants[token]
            raise ApiError(NO_UPDATE, f"the token is older than {UPDATE_MINUTES} minutes")
        self._replace(grant.message, card)
        grant.left -= 1
        if not grant.left:
            del self._grants[token]

    def _allow(self, token: str, message: Message) -> None:
        now = self._world.now()
        for old in [old for old, grant in self._grants.items() if grant.until < now]:
            del self._grants[old]
        self._grants[token] = _Grant(message, now + UPDATE_MINUTES * 60_000)

    def _replace(self, message: Message, card: Mapping[str, Any]) -> None:
        prepared = prepare("interactive", orjson.dumps(card).decode(), self._world.people, lambda key: True)
        if prepared.entity:
            raise ApiError(NO_UPDATE, "a card in an answer is raw or a template")
        self._world.edit(message, prepared.content, card=prepared.card)


def _read(answer: Any) -> tuple[Any, Mapping[str, Any] | None]:
    """The toast and the card of what the app answered. Raises ``_Wrong``."""
    if answer is None:
        return None, None
    if not isinstance(answer, dict):
        raise _Wrong(f"an answer is an object, not {str(answer)[:100]!r}")
    toast, card = answer.get("toast"), answer.get("card")
    if toast is not None:
        words = toast.get("content") or toast.get("i18n") if isinstance(toast, dict) else None
        if not isinstance(words, str | dict) or toast.get("type", "info") not in TONES:
            raise _Wrong(f"a toast has content, and a type among {', '.join(TONES)}")
    if card is None:
        return toast, None
    if (
        not isinstance(card, dict)
        or card.get("type") not in ("raw", "template")
        or not isinstance(card.get("data"), dict)
    ):
        raise _Wrong("a card is {type: raw or template, data: {…}}")
    return toast, card["data"] if card["type"] == "raw" else card


def _shown(code: int, msg: str, answer: Any = None, toast: Any = None, *, new: bool = False) -> dict[str, Any]:
    return {"code": code, "msg": msg, "answer": answer, "toast": toast, "card": new}
