"""What people do in a group, as plain values: the words a scenario is written in.

Every time is in ms UTC. Every id is the one the platform shows: ``om_…`` a message, ``ou_…`` a person, ``oc_…`` a chat.
A scenario decides what happens and when; the world decides what it means.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

BOT = "bot"
"""Stands for the app's own bot in a ``Mention``: only the world knows the bot's open_id and puts it in."""

EVERYONE = "@_all"
"""The placeholder of @all. It has no ``Mention`` (FEISHU.md §2.2)."""


PIECE = 1 << 16
"""Bytes of a resource made at a time."""


class ScenarioError(Exception):
    """A scenario or an act that cannot be played, with the place and the reason."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may be a member of a chat."""

    open_id: str
    union_id: str
    user_id: str
    name: str
    en_name: str


@dataclass(frozen=True, slots=True)
class Chat:
    """A group as it is before the first act."""

    chat_id: str
    name: str
    members: tuple[str, ...]
    """open_ids."""
    kind: Literal["group", "topic"] = "group"
    """In a ``topic`` group every message opens or continues a topic (话题)."""
    owner: str = ""


@dataclass(frozen=True, slots=True)
class Mention:
    """Somebody named in a message. ``key`` stands in the content where the name is shown."""

    key: str
    """``@_user_1``, ``@_user_2``, …"""
    open_id: str
    """Or ``BOT``."""
    name: str


@dataclass(frozen=True, slots=True)
class Resource:
    """An image or a file of a message. Its bytes are made when asked for, always the same, and never stored."""

    key: str
    """``img_v3_…`` or ``file_v3_…``, as in the message's content."""
    name: str
    kind: Literal["image", "file"]
    size: int
    """In bytes."""
    seed: int

    def chunks(self) -> Iterator[bytes]:
        """Exactly ``size`` bytes, 64 KiB at a time; an image is a valid PNG when ``size`` leaves room (100 bytes)."""
        if self.kind == "file" or self.size < 100:
            yield from self._noise(self.size)
            return
        pixel = next(self._noise(3))
        yield b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0))
        tail = _chunk(b"IDAT", zlib.compress((b"\0" + pixel * 8) * 8)) + _chunk(b"IEND", b"")
        # A private chunk, which viewers pass over, brings the file to its size: 12 bytes are its frame, 33 the head.
        padding = self.size - 33 - len(tail) - 12
        yield struct.pack(">I", padding) + b"laRk"
        checksum = zlib.crc32(b"laRk")
        for noise in self._noise(padding):
            checksum = zlib.crc32(noise, checksum)
            yield noise
        yield struct.pack(">I", checksum) + tail

    def _noise(self, size: int) -> Iterator[bytes]:
        """Pieces that differ, so that one left out or in the wrong place shows."""
        for start in range(0, size, PIECE):
            seal = f"{self.key}/{self.seed}/{start}".encode()
            yield hashlib.shake_256(seal).digest(min(PIECE, size - start))

    def read(self) -> bytes:
        """All of it at once."""
        return b"".join(self.chunks())


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@dataclass(frozen=True, slots=True)
class Forwarded:
    """One message inside a merged forward, as it was where it came from. Its resources cannot be downloaded."""

    message: str
    at: int
    chat: str
    """Where it was said; the reader need not be there."""
    sender: str
    type: str
    content: dict[str, Any]
    mentions: tuple[Mention, ...] = ()
    upper: str = ""
    """The forward inside this forward that holds it; empty = the outermost."""


@dataclass(frozen=True, slots=True)
class Say:
    """A message. ``content`` has the received form of its ``type`` (FEISHU.md §2.3)."""

    at: int
    chat: str
    message: str
    sender: str
    """An open_id; empty when the platform itself speaks (``type`` ``system``)."""
    type: str
    content: dict[str, Any]
    parent: str = ""
    """The message replied to."""
    root: str = ""
    """The first message of the reply tree. Empty beside a ``parent``: the parent's root, or the parent itself."""
    thread: bool = False
    """In a topic (话题). A reply in a topic names the root as its parent, and the root is then of the topic too."""
    mentions: tuple[Mention, ...] = ()
    resources: tuple[Resource, ...] = ()
    """What can be downloaded; a key in ``content`` that is not here is gone (234003)."""
    forwarded: tuple[Forwarded, ...] = ()
    """What a ``merge_forward`` holds."""


@dataclass(frozen=True, slots=True)
class React:
    """An emoji put on a message."""

    at: int
    chat: str
    message: str
    person: str
    emoji: str
    """The platform's name, e.g. ``THUMBSUP``."""


@dataclass(frozen=True, slots=True)
class Unreact:
    """The same emoji of the same person taken off again."""

    at: int
    chat: str
    message: str
    person: str
    emoji: str


@dataclass(frozen=True, slots=True)
class Recall:
    """A message taken back by its sender, or by the group's owner."""

    at: int
    chat: str
    message: str
    by: str


@dataclass(frozen=True, slots=True)
class Pin:
    """A message pinned."""

    at: int
    chat: str
    message: str
    by: str


@dataclass(frozen=True, slots=True)
class Unpin:
    """A message no longer pinned."""

    at: int
    chat: str
    message: str
    by: str


@dataclass(frozen=True, slots=True)
class Edit:
    """New content for a ``text`` or ``post`` message, by its sender; type and mentions stay."""

    at: int
    chat: str
    message: str
    content: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Join:
    """Somebody becomes a member of the chat."""

    at: int
    chat: str
    person: str
    by: str = ""
    """Who invited; empty = joined alone."""


@dataclass(frozen=True, slots=True)
class Leave:
    """Somebody is no member of the chat any more."""

    at: int
    chat: str
    person: str
    by: str = ""
    """Who removed; empty = left alone."""


Act = Say | React | Unreact | Recall | Pin | Unpin | Edit | Join | Leave


@dataclass(frozen=True, slots=True)
class Scenario:
    """A cast and what it does. ``acts()`` starts anew at every call and always yields the same."""

    name: str
    people: tuple[Person, ...]
    chats: tuple[Chat, ...]
    acts: Callable[[], Iterator[Act]] = field(repr=False)
    total: int
    """How many acts there are."""


KINDS: Mapping[str, type[Act]] = {
    kind.__name__.lower(): kind for kind in (Say, React, Unreact, Recall, Pin, Unpin, Edit, Join, Leave)
}


def dump(act: Act) -> dict[str, Any]:
    """The act as a JSON object: its fields, and its ``kind`` (``say``, ``react``, …)."""
    return {"kind": type(act).__name__.lower(), **asdict(act)}


def parse(document: object) -> Act:
    """The act of a JSON object made by ``dump`` or by hand; fields with a default may be left out.

    Raises ``ScenarioError`` naming each field that is wrong.
    """
    kind = document.get("kind") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not isinstance(kind, str) or kind not in KINDS:
        raise ScenarioError(f"an act is an object whose kind is one of {', '.join(KINDS)}")
    values = {name: value for name, value in document.items() if name != "kind"}
    unknown = sorted(values.keys() - {each.name for each in fields(KINDS[kind])})
    if unknown:
        raise ScenarioError(f"{kind} has no field {', '.join(unknown)}")
    try:
        return _checker(kind).validate_python(values)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise ScenarioError(f"{kind}: {wrong}") from error


@cache
def _checker(kind: str) -> TypeAdapter[Act]:
    return TypeAdapter(KINDS[kind])
