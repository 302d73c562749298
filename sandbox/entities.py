"""Cards with an id of their own (CardKit): made before they are sent, changed part by part, streamed (FEISHU.md §10.3).

Once an entity was sent its card is that of the message, however that is changed. Where the platform's code is not known
it is decided here, and said so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from . import cards
from .chat import Message
from .content import CARD_LIMIT, flatten
from .ids import Ids
from .reply import ApiError
from .world import World

MISSING, EXPIRED, UUID_TAKEN, TIMED_OUT, TOO_LARGE = 200740, 200750, 200770, 200850, 200860
SAME_ID, NOT_SHARED, NOT_2, TOO_MANY, EMPTY = 300301, 300302, 300303, 300305, 300307
CLOSED, NO_TEXT, WRONG_PART, NO_PART, SEQUENCE = 300309, 300310, 300312, 300313, 300317
DAY_MS = 86_400_000
LIFE_DAYS = 14
STREAMING_MS = 600_000
"""Unconfirmed: what third parties measured."""
TEXTS = ("markdown", "plain_text", "lark_md")
UUIDS = 1000
"""Operations of one card that are remembered."""

Card = dict[str, Any]


class Place(NamedTuple):
    """Where an element stands: ``holder[key]`` is it."""

    holder: Any
    key: Any

    @property
    def element(self) -> Card:
        element: Card = self.holder[self.key]
        return element


@dataclass(slots=True, eq=False)
class Entity:
    """One card and what was done to it."""

    card_id: str
    made_at: int
    draft: Card
    """The card until it is sent."""
    message: Message | None = None
    sequence: int = 0
    streaming_since: int | None = None
    timed_out: bool = False
    """Streaming ended by itself, and the app has not been told."""
    done: dict[str, bytes] = field(default_factory=dict)
    """Each operation's uuid, and a digest of what it was."""

    @property
    def card(self) -> Card:
        """The card as it is now; a copy to work on."""
        card: Card = deepcopy(self.draft) if self.message is None else orjson.loads(self.message.card)
        return card


class Entities:
    """Every card with an id."""

    def __init__(self, world: World, ids: Ids) -> None:
        self._world = world
        self._ids = ids
        self._entities: dict[str, Entity] = {}

    def make(self, card: Card, message: Message | None = None) -> Entity:
        """A new one, or the one of a message that was sent without. Raises ``ApiError``."""
        check(card)
        entity = Entity(self._ids.number(19), self._world.now(), card, message)
        self._follow(entity, card)
        self._entities[entity.card_id] = entity
        return entity

    def find(self, card_id: str) -> Entity:
        """The one of that id. Raises ``ApiError``: 200740, or 200750 after 14 days."""
        entity = self._entities.get(card_id)
        if entity is None:
            raise ApiError(MISSING, f"cardentity is not exist: {card_id}")
        if self._world.now() - entity.made_at > LIFE_DAYS * DAY_MS:
            raise ApiError(EXPIRED, f"cardentity is older than {LIFE_DAYS} days: {card_id}")
        return entity

    def of(self, message: Message) -> Entity | None:
        """The one that a message shows."""
        return next((entity for entity in self._entities.values() if entity.message is message), None)

    def sendable(self, card_id: str) -> Entity:
        """One to be sent. Raises ``cards.Refused``; that it was sent before is told by a code decided here."""
        try:
            entity = self.find(card_id)
        except ApiError as problem:
            raise cards.Refused(problem.code, "ROOT -> data", problem.msg) from problem
        if entity.message is not None:
            raise cards.Refused(MISSING, "ROOT -> data", "a card entity can be sent once", card_id)
        return entity

    def change(self, entity: Entity, uuid: str, sequence: int, what: bytes, work: Callable[[Card], None]) -> None:
        """Does ``work`` on the card, once for each ``uuid``, in the order of ``sequence``. Raises ``ApiError``.

        ``what`` tells operations of the same uuid apart; it is kept, so it should be small.
        """
        if uuid and uuid in entity.done:
            if entity.done[uuid] != what:
                raise ApiError(UUID_TAKEN, f"uuid was used for another operation: {uuid}")
            return
        if sequence <= entity.sequence:
            raise ApiError(SEQUENCE, f"sequence number compare failed: {sequence} comes after {entity.sequence}")
        self._tire(entity)
        card = entity.card
        work(card)
        entity.sequence = sequence
        if uuid:
            entity.done[uuid] = what
            if len(entity.done) > UUIDS:
                del entity.done[next(iter(entity.done))]
        self._follow(entity, card)
        self._show(entity, card)

    def require_streaming(self, entity: Entity) -> None:
        """Raises ``ApiError`` 300309 when the card is not streaming; 200850 the first time after it ended by itself."""
        if entity.timed_out:
            entity.timed_out = False
            raise ApiError(TIMED_OUT, "the streaming mode was closed after 10 minutes")
        if entity.streaming_since is None:
            raise ApiError(CLOSED, "streaming mode is closed; set config.streaming_mode to true")

    def _tire(self, entity: Entity) -> None:
        since = entity.streaming_since
        if since is not None and self._world.now() - since > STREAMING_MS:
            card = entity.card
            card["config"] = {**(card.get("config") or {}), "streaming_mode": False}
            entity.streaming_since, entity.timed_out = None, True
            self._show(entity, card)

    def _follow(self, entity: Entity, card: Card) -> None:
        """Notes when streaming began."""
        config = card.get("config")
        if not (isinstance(config, dict) and config.get("streaming_mode") is True):
            entity.streaming_since = None
        elif entity.streaming_since is None:
            entity.streaming_since, entity.timed_out = self._world.now(), False

    def _show(self, entity: Entity, card: Card) -> None:
        if entity.message is None:
            entity.draft = card
        else:
            content = orjson.dumps(flatten(card)).decode()
            self._world.edit(entity.message, content, card=orjson.dumps(card).decode())


def check(card: Card) -> None:
    """Raises ``ApiError`` with CardKit's codes when it takes no such card."""
    if not card:
        raise ApiError(EMPTY, "the card is empty")
    if card.get("type") == "template":
        cards.check(card)
        return
    if card.get("schema") != "2.0":
        raise ApiError(NOT_2, "only cards of schema 2.0 have an id")
    config = card.get("config")
    if isinstance(config, dict) and config.get("update_multi") is False:
        raise ApiError(NOT_SHARED, "update_multi is false: a card with an id is everybody's")
    ids = [place.element["element_id"] for place in places(card) if "element_id" in place.element]
    if twice := sorted({str(one) for one in ids if ids.count(one) > 1}):
        raise ApiError(SAME_ID, f"element_id is used twice: {', '.join(twice)}")
    try:
        cards.check(card)
    except cards.Refused as problem:
        code = TOO_MANY if problem.err_code == cards.TOO_MANY else problem.err_code
        raise ApiError(code, problem.reason) from problem


def check_size(card: Card) -> None:
    """Raises ``ApiError`` 200860; what was streamed into a card does not count."""
    if len(orjson.dumps(card)) > CARD_LIMIT:
        raise ApiError(TOO_LARGE, f"the card is larger than {CARD_LIMIT >> 10} KB")


def places(card: Card) -> Iterator[Place]:
    """Where each element of the body stands, an outer one before those within; texts are elements too."""
    body = card.get("body")
    if isinstance(body, dict):
        yield from _places(body, "elements")


def _places(holder: Any, key: Any) -> Iterator[Place]:
    value = holder.get(key) if isinstance(holder, dict) else holder[key]
    if isinstance(value, list):
        for number in range(len(value)):
            yield from _places(value, number)
    elif isinstance(value, dict):
        if "tag" in value:
            yield Place(holder, key)
        for name in list(value):
            if name not in ("chart_spec", "rows", "value"):
                yield from _places(value, name)


def place(card: Card, element_id: str) -> Place:
    """Where the element of that id stands. Raises ``ApiError`` 300313 (unconfirmed) when there is none."""
    for each in places(card):
        if each.element.get("element_id") == element_id:
            return each
    raise ApiError(NO_PART, f"there is no element {element_id!r}")
