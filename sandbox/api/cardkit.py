"""``cardkit/v1``: cards with an id, their elements, streaming (FEISHU.md §10.3)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import orjson

from .. import bodies, entities
from ..endpoint import Call, Endpoint
from ..entities import Card, Entities, Entity
from ..limits import FREQUENT, Limits
from ..permissions import CARDKIT
from ..reply import ApiError
from .history import Documents

PER_SECOND = 10
MOST_TEXT = 100_000
"""Code points of a streamed text."""
UUID_LENGTH = 64
LARGEST_SEQUENCE = 2**31 - 1
INVALID = 99992402

Work = Callable[[Card], None]


class CardKit:
    """The operations on cards with an id."""

    def __init__(self, kept: Entities, documents: Documents, limits: Limits, app_id: str) -> None:
        self._entities = kept
        self._documents = documents
        self._limits = limits
        self._app_id = app_id

    async def create(self, call: Call) -> dict[str, Any]:
        """A card from JSON or a template."""
        return {"card_id": self._entities.make(_card(call.body)).card_id}

    async def update(self, call: Call) -> dict[str, Any]:
        """The whole card anew."""
        given = call.body.get("card")
        new = _card(given if isinstance(given, dict) else {})
        entities.check(new)

        def work(card: Card) -> None:
            card.clear()
            card.update(new)

        return self._change(call, work)

    async def settings(self, call: Call) -> dict[str, Any]:
        """Some of ``config`` and the ``card_link``."""
        settings = _json(call.body.get("settings"), "settings")
        return self._change(call, lambda card: _set(card, settings))

    async def batch(self, call: Call) -> dict[str, Any]:
        """Several operations, all or none."""
        actions = _json(call.body.get("actions"), "actions", kind=list)

        def work(card: Card) -> None:
            for each in actions:
                params = each.get("params") if isinstance(each, dict) else None
                if not isinstance(params, dict) or each.get("action") not in _ACTIONS:
                    raise _invalid(
                        "actions", f"an action is {{action, params}}, the action one of {', '.join(_ACTIONS)}"
                    )
                _ACTIONS[each["action"]](card, params)

        return self._change(call, work)

    async def add(self, call: Call) -> dict[str, Any]:
        """New elements before or after one, or at the end."""
        return self._change(call, lambda card: _add(card, call.body))

    async def replace(self, call: Call) -> dict[str, Any]:
        """Another element in the place of one."""
        return self._change(call, lambda card: _replace(card, {**call.body, **call.path}))

    async def patch(self, call: Call) -> dict[str, Any]:
        """Some attributes of an element."""
        return self._change(call, lambda card: _patch(card, {**call.body, **call.path}))

    async def remove(self, call: Call) -> dict[str, Any]:
        """An element away, with all within it."""
        return self._change(call, lambda card: _remove(card, {"element_ids": [call.path["element_id"]]}))

    async def stream(self, call: Call) -> dict[str, Any]:
        """The whole text so far of one element."""
        text = call.body.get("content")
        if not isinstance(text, str) or not text:
            raise _invalid("content", "the text is required")
        if len(text) > MOST_TEXT:
            raise ApiError(entities.TOO_LARGE, f"the text is longer than {MOST_TEXT}")
        entity = self._entities.find(call.path["card_id"])

        def work(card: Card) -> None:
            self._entities.require_streaming(entity)
            element = entities.place(card, call.path["element_id"]).element
            if element["tag"] not in entities.TEXTS:
                raise ApiError(entities.NO_TEXT, f"only text can be streamed, not {element['tag']}")
            element["content"] = text

        return self._change(call, work, streamed=True)

    async def convert(self, call: Call) -> dict[str, Any]:
        """The id of the card that a message of this app shows."""
        message_id = call.body.get("message_id")
        if not isinstance(message_id, str) or not message_id:
            raise _invalid("message_id", "the message is required")
        message = self._documents.find(message_id)
        if not message.card or message.sender != self._app_id:
            raise ApiError(entities.MISSING, f"{message_id} is no card of this app")
        entity = self._entities.of(message) or self._entities.make(orjson.loads(message.card), message)
        return {"card_id": entity.card_id}

    def _change(self, call: Call, work: Work, *, streamed: bool = False) -> dict[str, Any]:
        entity: Entity = self._entities.find(call.path["card_id"])
        sequence, uuid = call.body.get("sequence"), call.body.get("uuid") or ""
        if type(sequence) is not int or not 0 < sequence <= LARGEST_SEQUENCE:
            raise _invalid("sequence", "a positive number is required, greater than that of the operation before")
        if not isinstance(uuid, str) or len(uuid) > UUID_LENGTH:
            raise _invalid("uuid", f"at most {UUID_LENGTH} characters")
        self._limits.pace(f"card entity {entity.card_id}", FREQUENT, per_second=PER_SECOND)

        def checked(card: Card) -> None:
            work(card)
            entities.check(card)
            if not streamed:
                entities.check_size(card)

        request = orjson.dumps([call.request.method, call.request.path, call.body])
        what = hashlib.blake2b(request, digest_size=16).digest()
        self._entities.change(entity, uuid, sequence, what, checked)
        return {}

    def endpoints(self) -> list[Endpoint]:
        """The operations as rows."""
        cards = "/open-apis/cardkit/v1/cards"
        one = f"{cards}/{{card_id}}"
        element = f"{one}/elements/{{element_id}}"
        rows = (
            ("card.create", "POST", cards, self.create),
            ("card.idConvert", "POST", f"{cards}/id_convert", self.convert),
            ("card.update", "PUT", one, self.update),
            ("card.settings", "PATCH", f"{one}/settings", self.settings),
            ("card.batchUpdate", "POST", f"{one}/batch_update", self.batch),
            ("cardElement.create", "POST", f"{one}/elements", self.add),
            ("cardElement.update", "PUT", element, self.replace),
            ("cardElement.patch", "PATCH", element, self.patch),
            ("cardElement.delete", "DELETE", element, self.remove),
            ("cardElement.content", "PUT", f"{element}/content", self.stream),
        )
        return [Endpoint(f"cardkit.v1.{name}", method, path, answer, CARDKIT) for name, method, path, answer in rows]


def _card(body: dict[str, Any]) -> Card:
    """The card of ``{type, data}``."""
    kind, data = body.get("type"), _json(body.get("data"), "data")
    if kind not in ("card_json", "template"):
        raise _invalid("type", "card_json or template")
    if kind == "template":
        return {"type": "template", "data": data}
    card: Card = data
    entities.check_size(card)
    return card


def _set(card: Card, settings: dict[str, Any]) -> None:
    config = settings.get("config", {})
    if not isinstance(config, dict):
        raise _invalid("settings", "config is an object")
    card["config"] = {**card.get("config", {}), **config}
    if "card_link" in settings:
        card["card_link"] = settings["card_link"]


def _add(card: Card, given: dict[str, Any]) -> None:
    new = _json(given.get("elements"), "elements", kind=list)
    kind, target = given.get("type"), given.get("target_element_id") or ""
    if kind not in ("insert_before", "insert_after", "append"):
        raise _invalid("type", "insert_before, insert_after or append")
    if kind == "append":
        holder = entities.place(card, target).element if target else card.setdefault("body", {})
        if target and not isinstance(holder.get("elements"), list):
            raise ApiError(entities.WRONG_PART, f"{target} holds no elements")
        holder.setdefault("elements", []).extend(new)
        return
    holder, key = entities.place(card, target)
    if not isinstance(holder, list):
        raise ApiError(entities.WRONG_PART, f"{target} does not stand in a list of elements")
    at = key + (kind == "insert_after")
    holder[at:at] = new


def _replace(card: Card, given: dict[str, Any]) -> None:
    holder, key = entities.place(card, str(given.get("element_id", "")))
    holder[key] = _json(given.get("element"), "element")


def _patch(card: Card, given: dict[str, Any]) -> None:
    element = entities.place(card, str(given.get("element_id", ""))).element
    partial = _json(given.get("partial_element"), "partial_element")
    if partial.get("tag", element["tag"]) != element["tag"]:
        raise ApiError(entities.WRONG_PART, "the tag of an element cannot change; put another one in its place")
    element.update(partial)


def _remove(card: Card, given: dict[str, Any]) -> None:
    wanted = given.get("element_ids")
    if not isinstance(wanted, list) or not wanted:
        raise _invalid("element_ids", "a list is required")
    for element_id in wanted:
        holder, key = entities.place(card, str(element_id))
        del holder[key]


def _partial_setting(card: Card, given: dict[str, Any]) -> None:
    settings = given.get("settings")
    _set(card, settings if isinstance(settings, dict) else _json(settings, "settings"))


_ACTIONS: dict[str, Callable[[Card, dict[str, Any]], None]] = {
    "partial_update_setting": _partial_setting,
    "add_elements": _add,
    "update_element": _replace,
    "partial_update_element": _patch,
    "delete_elements": _remove,
}


def _json(given: object, name: str, *, kind: type = dict) -> Any:
    """What a JSON text in the body holds; in a batch it may be there as it is."""
    if isinstance(given, kind):
        return given
    try:
        value = bodies.parse(given) if isinstance(given, str) else None
    except orjson.JSONDecodeError as error:
        raise _invalid(name, f"no JSON: {error}") from error
    if not isinstance(value, kind):
        raise _invalid(name, f"the JSON text of {'an object' if kind is dict else 'a list'} is required")
    return value


def _invalid(field: str, description: str) -> ApiError:
    violation = {"field": field, "value": "", "description": description}
    return ApiError(INVALID, "field validation failed", error={"field_violations": [violation]})
