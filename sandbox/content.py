"""What an app may send, and the form in which it is read back (FEISHU.md §2.3, §4.1); it changes nothing."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from . import bodies, cards
from .people import People
from .reply import ApiError
from .scenario.act import EVERYONE, Mention

BAD_PARAMETER, TOO_LONG, UNSUPPORTED, NOT_OWNED = 230001, 230025, 230054, 230017
TEXT_LIMIT, CARD_LIMIT = 150 * 1024, 30 * 1024

REQUIRED = {
    "text": ("text",),
    "image": ("image_key",),
    "file": ("file_key",),
    "audio": ("file_key",),
    "media": ("file_key",),
    "sticker": ("file_key",),
    "share_chat": ("chat_id",),
    "share_user": ("user_id",),
}
"""Message type → the strings its content must have. ``post``, ``interactive`` and ``system`` are checked apart."""

AT = re.compile(r'<at\s+(?:user_id|id)\s*=\s*"?([^">\s]+)"?\s*>([^<]*)</at>')


@dataclass(slots=True)
class Prepared:
    """A message's content as it will be stored."""

    content: str
    mentions: tuple[Mention, ...] = ()
    card: str = ""
    entity: str = ""
    """The card_id where the card is one of CardKit's; ``content`` and ``card`` are its own then."""


@dataclass(slots=True)
class _Mentions:
    people: People
    found: list[Mention] = field(default_factory=list)

    def key(self, open_id: str, name: str) -> str:
        """The placeholder for somebody; ``@_all`` for everybody."""
        if open_id in {"all", EVERYONE}:
            return EVERYONE
        for mention in self.found:
            if mention.open_id == open_id:
                return mention.key
        person = self.people.get(open_id)
        mention = Mention(
            f"@_user_{len(self.found) + 1}",
            person.open_id if person is not None else open_id,
            person.name if person is not None else name,
        )
        self.found.append(mention)
        return mention.key


def prepare(msg_type: str, content: object, people: People, owns: Callable[[str], bool]) -> Prepared:
    """The stored form of a message to be sent; ``owns`` says whether a key was uploaded by this app.

    Raises ``ApiError`` 230001, 230017, 230025, 230054 or 230099.
    """
    if not isinstance(content, str):
        raise ApiError(BAD_PARAMETER, "Your request contains an invalid request parameter: content must be a string.")
    if len(content.encode()) > (CARD_LIMIT if msg_type in {"post", "interactive"} else TEXT_LIMIT):
        raise ApiError(TOO_LONG, "The length of the message content reaches its limit.")
    try:
        value = bodies.parse(content)
    except orjson.JSONDecodeError as error:
        if msg_type == "interactive":
            raise cards.Refused(cards.NOT_A_CARD, "ROOT", f"parse card json err: {error}") from error
        raise ApiError(
            BAD_PARAMETER, f"Your request contains an invalid request parameter: content: {error}"
        ) from error
    if not isinstance(value, dict):
        raise ApiError(BAD_PARAMETER, "Your request contains an invalid request parameter: content is no JSON object.")
    mentions = _Mentions(people)
    match msg_type:
        case "post":
            shown = _post(value, mentions, owns)
        case "interactive":
            cards.check(value)
            if value.get("type") == "card":
                return Prepared("", entity=value["data"]["card_id"])
            return Prepared(orjson.dumps(flatten(value)).decode(), card=content)
        case "system":
            shown = value
        case _ if msg_type in REQUIRED:
            shown = _plain(msg_type, value, mentions, owns)
        case _:
            raise ApiError(UNSUPPORTED, f"This message type is not supported: {msg_type!r}")
    return Prepared(orjson.dumps(shown).decode(), tuple(mentions.found))


def _plain(msg_type: str, value: dict[str, Any], mentions: _Mentions, owns: Callable[[str], bool]) -> dict[str, Any]:
    for name in REQUIRED[msg_type]:
        if not isinstance(value.get(name), str) or not value[name]:
            raise ApiError(BAD_PARAMETER, f"Your request contains an invalid request parameter: content has no {name}.")
    for name in ("image_key", "file_key"):
        if name in value:
            _owned(value[name], owns)
    if msg_type == "text":
        return {**value, "text": AT.sub(lambda found: mentions.key(found[1], found[2]), value["text"])}
    return value


def _post(value: dict[str, Any], mentions: _Mentions, owns: Callable[[str], bool]) -> dict[str, Any]:
    body = next((each for each in value.values() if isinstance(each, dict)), None)
    if body is None or not isinstance(body.get("content"), list):
        raise ApiError(
            BAD_PARAMETER, "Your request contains an invalid request parameter: post needs {locale: {content}}."
        )
    paragraphs: list[list[dict[str, Any]]] = []
    for paragraph in body["content"]:
        if not isinstance(paragraph, list) or not all(isinstance(run, dict) and "tag" in run for run in paragraph):
            raise ApiError(
                BAD_PARAMETER, "Your request contains an invalid request parameter: a paragraph is a list of tags."
            )
        paragraphs.append([_run(run, mentions, owns) for run in paragraph])
    return {"title": body.get("title", ""), "content": paragraphs}


def _run(run: dict[str, Any], mentions: _Mentions, owns: Callable[[str], bool]) -> dict[str, Any]:
    match run["tag"]:
        case "at":
            person = mentions.people.get(str(run.get("user_id", "")))
            key = mentions.key(str(run.get("user_id", "")), str(run.get("user_name", "")))
            name = person.name if person is not None else run.get("user_name", "")
            return {"tag": "at", "user_id": key, "user_name": name, "style": []}
        case "md":
            return {"tag": "text", "text": run.get("text", ""), "style": []}
        case "img" | "media":
            for name in ("image_key", "file_key"):
                if name in run:
                    _owned(run[name], owns)
            return run
        case "text" | "a":
            return {**run, "style": run.get("style", [])}
        case _:
            return run


def _owned(key: object, owns: Callable[[str], bool]) -> None:
    if not isinstance(key, str) or not owns(key):
        raise ApiError(NOT_OWNED, f"The bot is not the resource's owner: {key}")


def flatten(card: dict[str, Any]) -> dict[str, Any]:
    """The plain form in which a card is read back: a title, and one paragraph for each element."""
    body = card.get("body")
    elements = card.get("elements") or (body.get("elements") if isinstance(body, dict) else None)
    header = card.get("header")
    title = header.get("title") if isinstance(header, dict) else None
    return {
        "title": str(title.get("content", "")) if isinstance(title, dict) else "",
        "elements": [_flat(element) for element in _objects(elements)],
    }


def _flat(element: dict[str, Any]) -> list[dict[str, Any]]:
    text = element.get("text")
    shown = text.get("content", "") if isinstance(text, dict) else text or element.get("content", "")
    match element.get("tag"):
        case "button":
            return [{"tag": "button", "text": shown, "type": element.get("type", "default")}]
        case "img":
            return [{"tag": "img", "image_key": element.get("img_key", "")}]
        case "hr":
            return [{"tag": "hr"}]
        case "action" | "column" | "column_set" | "form" | "note" | "collapsible_panel" | "interactive_container":
            inner = [each for name in ("actions", "columns", "elements") for each in _objects(element.get(name))]
            return [part for each in inner for part in _flat(each)]
        case _:
            return [{"tag": "text", "text": str(shown)}]


def _objects(given: object) -> list[dict[str, Any]]:
    """The objects of a list. An older card may have anything under a name that means nothing there."""
    return [each for each in given if isinstance(each, dict)] if isinstance(given, list) else []
