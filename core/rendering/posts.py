"""The visible text of a post's paragraphs, and what is read beside text; it knows no message type (FEISHU.md §2.3)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from functools import cached_property
from typing import Any, Final, Literal, Protocol

EVERYBODY: Final = "@所有人"
NAME_LENGTH: Final = 250
"""Code points of a file name that are kept (FEISHU.md §6)."""

_KEY = re.compile(r"[A-Za-z0-9_.~=+-]{1,256}")
# Every repetition is bounded: a text is somebody else's, and an unbounded one takes quadratic time on `<at <at <at …`.
_AT = re.compile(
    r"<at\b[^<>]{0,80}?(?:user_id|open_id|id)\s?=\s?[\"']?([^\"'<>\s]{1,80})[\"']?[^<>]{0,80}>([^<]{0,200})</at>"
)
_FONT = re.compile(r"</?(?:font|text_tag|number_tag)\b[^<>]{0,200}>")
_DEEPEST: Final = 100


class Unreadable(ValueError):
    """Content that lacks what its type promises; it is then shown as raw JSON."""


class Named(Protocol):
    """Somebody mentioned, such as ``core.Mention``."""

    @property
    def key(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def open_id(self) -> str: ...
    @property
    def is_all(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Resource:
    """An image or file of a message that the message-resource API can fetch (FEISHU.md §4.3)."""

    file_key: str
    kind: Literal["image", "file"]
    name: str = ""
    """The file's name where the message says it, at most 250 code points; not made safe for a disk."""


@dataclass
class Reading:
    """One message while it is read: who is mentioned in it, and what was found beside its text."""

    mentions: Iterable[Named]
    zone: tzinfo
    refusal: str = ""
    """Why nothing in it can be fetched; empty = it can."""
    title: str = ""
    resources: dict[str, Resource] = field(default_factory=dict)
    problems: dict[str, None] = field(default_factory=dict)

    @cached_property
    def _names(self) -> dict[str, str]:
        names = {each.key: EVERYBODY if each.is_all else f"@{each.name or each.open_id}" for each in self.mentions}
        names.pop("", None)
        return names | {"@_all": EVERYBODY}

    @cached_property
    def _placeholder(self) -> re.Pattern[str]:
        longest_first = sorted(self._names, key=len, reverse=True)
        return re.compile(f"(?:{'|'.join(map(re.escape, longest_first))})(?!\\d)")

    def named(self, text: str) -> str:
        """The text with names in place of placeholders and of ``<at>`` tags."""
        if "<at" in text:
            text = _AT.sub(lambda found: self.person(found[1], found[2]), text)
        return self._placeholder.sub(lambda found: self._names[found[0]], text) if "@" in text else text

    def markdown(self, text: str) -> str:
        """The text of a markdown element; its colours are left out."""
        return self.named(_FONT.sub("", text) if "<" in text else text)

    def person(self, who: str, name: str = "") -> str:
        """``@name`` of a placeholder or open_id; the ID where nobody knows the name."""
        if who in {"all", "@all", "@_all"}:
            return EVERYBODY
        if who in self._names:
            return self._names[who]
        known = next((each.name for each in self.mentions if who and each.open_id == who), "")
        return f"@{(known or name or who).removeprefix('@')}"

    def attach(self, key: object, kind: Literal["image", "file"], name: object = "") -> bool:
        """Notes a resource, or why it cannot be fetched; whether ``key`` is one at all."""
        if not isinstance(key, str) or not _KEY.fullmatch(key):
            return False
        if self.refusal:
            self.problems[self.refusal] = None
        else:
            self.resources[key] = Resource(key, kind, clean(string(name), NAME_LENGTH))
        return True

    def moment(self, value: object) -> str:
        """A time in ms (or s) UTC as ``2026-01-31 09:30`` in the zone; what is no time stays what it is."""
        if isinstance(value, int) and 0 < value < 10**13:
            value = str(value)
        digits = string(value)
        if not (digits.isascii() and digits.isdigit() and 9 <= len(digits) <= 13):
            return digits
        seconds = int(digits) / (1000 if len(digits) > 11 else 1)
        return datetime.fromtimestamp(seconds, self.zone).strftime("%Y-%m-%d %H:%M")


def post(content: Mapping[str, Any], reading: Reading) -> str:
    """The title and the paragraphs, a line each. A wrapper by language (the form that is sent) is looked through."""
    if "content" not in content:
        inner = [content.get("zh_cn"), content.get("en_us"), *content.values()]
        content = next((each for each in inner if isinstance(each, dict) and "content" in each), content)
    body = content.get("content")
    if not isinstance(body, list):
        raise Unreadable("content")
    reading.title = reading.named(string(content.get("title")))
    return "\n".join(filter(None, (reading.title, paragraphs(body, reading))))


def paragraphs(body: Iterable[object], reading: Reading) -> str:
    """A line for each paragraph, and as many as it has for a block of code."""
    lines = (paragraph if isinstance(paragraph, list) else [paragraph] for paragraph in body)
    return "\n".join("".join(element(run, reading) for run in line).strip("\n") for line in lines)


def element(run: object, reading: Reading) -> str:
    """The text of one element; of one that cannot be read, its JSON."""
    if isinstance(run, str):
        return run
    if not isinstance(run, dict):
        return raw(run)
    text = string(run.get("text")) or string(run.get("content"))
    match run.get("tag"):
        case "a":
            href = string(run.get("href"))
            return reading.named(text if not href or href == text else f"{text} ({href})".strip())
        case "at":
            who, name = string(run.get("user_id")), string(run.get("user_name"))
            return reading.person(who, name) if who or name else raw(run)
        case "img":
            return "[图片]" if reading.attach(run.get("image_key"), "image") else raw(run)
        case "media":
            # The cover is a still of the video: fetching it would double the calls and show nothing more.
            return "[视频]" if reading.attach(run.get("file_key"), "file", run.get("file_name")) else raw(run)
        case "emotion":
            emoji = string(run.get("emoji_type"))
            return f"[{emoji}]" if emoji else raw(run)
        case "hr":
            return "---"
        case "code_block" if text:
            fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
            return f"\n{fence}{string(run.get('language')).lower()}\n{text}\n{fence}\n"
        case "button" if text:
            return f"[{reading.named(text)}] "
        case "text" | "md":
            return reading.markdown(text) if text or run.get("text") == "" else raw(run)
        case _:
            return reading.markdown(text) if text else raw(run)


def string(value: object) -> str:
    """``value`` when it is a string, else nothing."""
    return value if isinstance(value, str) else ""


def raw(value: object) -> str:
    """``value`` as JSON; what is nested more than 100 deep is left out where all of it cannot be written."""
    try:
        return json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return json.dumps(_shallow(value, _DEEPEST), ensure_ascii=False)


def _shallow(value: object, depth: int) -> object:
    if not isinstance(value, dict | list):
        return value
    if not depth:
        return "…"
    if isinstance(value, list):
        return [_shallow(each, depth - 1) for each in value]
    return {key: _shallow(each, depth - 1) for key, each in value.items()}


def clean(text: str, limit: int) -> str:
    """At most ``limit`` code points that UTF-8 can carry; NUL, which ends a text in databases, is left out."""
    kept = text if len(text) <= limit else text[:limit]
    return kept.encode("utf-8", "replace").decode("utf-8").replace("\0", "")
