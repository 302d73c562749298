"""A group chat in a file, one JSON object a line, as a scenario.

A line has ``id`` (unique), ``chat``, ``ts`` (ms UTC), ``user``, ``text``, and perhaps ``reply_to`` (an ``id`` or null)
and ``mentions`` (names). A file whose name ends in ``.gz`` is decompressed on the way.

- Messages arrive in the order of the file and keep their own ``ts``, also where it steps back.
- A mention stands at the head of the text: "ann: hello" and a mention of ann become "@_user_1 hello"; where her name is
  not at the head the placeholder is put there all the same. Whoever is only ever mentioned is a member too.
- A reply to an ``id`` that no earlier line has is a message of its own.
- Files of this kind hold no reactions, recalls or pins: they are drawn by the seed, as often as ``Rates`` says.
"""

from __future__ import annotations

import gzip
import heapq
import io
import random
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import orjson

from .act import Act, Chat, Mention, Person, Pin, React, Recall, Say, Scenario, ScenarioError, Unpin, Unreact
from .ids import identity, person

Progress = Callable[[int, int], None]
"""Told how many bytes of the file are read, and how many there are."""

REPORT_EVERY = 5000
"""Lines between two reports of progress."""


@dataclass(frozen=True, slots=True)
class Rates:
    """How often something follows a message: shares between 0 and 1."""

    reactions: float = 0.10
    """Of the messages: one reaction."""
    removals: float = 0.10
    """Of the reactions: taken off again."""
    recalls: float = 0.005
    """Of the messages."""
    pins: float = 0.0
    """Of the messages."""
    unpins: float = 0.10
    """Of the pins: taken off again."""

    def __post_init__(self) -> None:
        for each in fields(self):
            if not 0 <= getattr(self, each.name) <= 1:
                raise ScenarioError(f"the rate of {each.name} is {getattr(self, each.name)}, not between 0 and 1")


def load(path: Path, *, seed: int, rates: Rates | None = None, progress: Progress | None = None) -> Scenario:
    """The file as a scenario. It is read once here, to know who takes part, and once more for every ``acts()``.

    Raises ``ScenarioError`` naming the line that is wrong, or the file that cannot be read.
    """
    rates = rates or Rates()
    size = _size(path)
    seen: set[str] = set()
    members: dict[str, dict[str, None]] = {}
    fates = _fates(seed, rates)
    total = 0
    for number, line, offset in _lines(path):
        if line["id"] in seen:
            raise ScenarioError(f"{path.name}, line {number}: the id {line['id']!r} was used by an earlier line")
        seen.add(line["id"])
        group = members.setdefault(line["chat"], {})
        group.update(dict.fromkeys((line["user"], *line["mentions"])))
        total += 1 + next(fates).acts
        if progress and number % REPORT_EVERY == 0:
            progress(offset, size)
    if not seen:
        raise ScenarioError(f"{path.name} holds no message")
    if progress:
        progress(size, size)
    people = {name: person(seed, name, name) for group in members.values() for name in group}
    chats = {
        name: Chat(identity("oc_", seed, "chat", name), name, tuple(people[each].open_id for each in group))
        for name, group in members.items()
    }
    cast = _Cast(people, chats)
    everyone, groups = tuple(people.values()), tuple(chats.values())
    return Scenario(path.name, everyone, groups, lambda: _play(path, seed, rates, cast), total)


@dataclass(frozen=True, slots=True)
class _Cast:
    """Who and where, by the names in the file."""

    people: dict[str, Person]
    chats: dict[str, Chat]


@dataclass(frozen=True, slots=True)
class _Fate:
    """What will follow a message, each a delay in ms after it; 0 = never. Recalls and removals come last."""

    reaction: int
    removal: int
    recall: int
    pin: int
    unpin: int
    who: float
    emoji: str

    @property
    def acts(self) -> int:
        return sum(1 for each in (self.reaction, self.removal, self.recall, self.pin, self.unpin) if each)


_QUIET = _Fate(0, 0, 0, 0, 0, 0.0, "")
_EMOJIS = ("THUMBSUP", "OK", "DONE", "HEART", "LAUGH", "THANKS", "APPLAUSE", "SMILE")


def _fates(seed: int, rates: Rates) -> Iterator[_Fate]:
    """One fate a message, for ever. It knows nothing of the messages, so both readings of the file draw the same."""
    chance = random.Random(seed)  # noqa: S311 - a scenario, not a secret.
    draw = chance.random

    def later(rate: float, after: int, within: int) -> int:
        return after + 1 + int(draw() * within) if draw() < rate else 0

    while True:
        reaction = later(rates.reactions, 500, 180_000)
        removal = later(rates.removals, reaction + 1_000, 600_000) if reaction else 0
        pin = later(rates.pins, 10_000, 600_000)
        unpin = later(rates.unpins, pin + 60_000, 86_400_000) if pin else 0
        recall = later(rates.recalls, max(1_000, reaction, removal, pin, unpin), 120_000)
        if reaction or pin or recall:
            yield _Fate(reaction, removal, recall, pin, unpin, draw(), _EMOJIS[int(draw() * len(_EMOJIS))])
        else:
            yield _QUIET


def _play(path: Path, seed: int, rates: Rates, cast: _Cast) -> Iterator[Act]:
    known: dict[str, tuple[str, str]] = {}
    recent: dict[str, deque[str]] = {name: deque(maxlen=40) for name in cast.chats}
    due: list[tuple[int, int, Act]] = []
    order = 0
    for (_, line, _), fate in zip(_lines(path), _fates(seed, rates), strict=False):
        at = line["ts"]
        while due and due[0][0] <= at:
            yield heapq.heappop(due)[2]
        say = _say(line, identity("om_", seed, "message", line["id"]), cast, known)
        yield say
        speakers = recent[line["chat"]]
        speakers.append(say.sender)
        if fate is not _QUIET:
            for act in _aftermath(say, fate, speakers):
                order += 1
                heapq.heappush(due, (act.at, order, act))
    while due:
        yield heapq.heappop(due)[2]


def _say(line: dict[str, Any], message: str, cast: _Cast, known: dict[str, tuple[str, str]]) -> Say:
    """The line as a message; ``known`` learns, by the line's id, the message and its root."""
    parent, root = known.get(line["reply_to"], ("", ""))
    known[line["id"]] = (message, root or message)
    text, mentions = _address(line["text"], line["mentions"], cast.people)
    return Say(
        at=line["ts"],
        chat=cast.chats[line["chat"]].chat_id,
        message=message,
        sender=cast.people[line["user"]].open_id,
        type="text",
        content={"text": text},
        parent=parent,
        root=root,
        mentions=mentions,
    )


def _address(text: str, names: list[str], people: dict[str, Person]) -> tuple[str, tuple[Mention, ...]]:
    """The text with a placeholder at its head for each name, in place of the names that stood there."""
    if not names:
        return text, ()
    mentions = []
    for number, name in enumerate(dict.fromkeys(names), 1):
        mentions.append(Mention(f"@_user_{number}", people[name].open_id, name))
        head, rest = text[: len(name)], text[len(name) :]
        if head.casefold() == name.casefold() and (not rest or rest[0] in ":, \t"):
            text = rest.lstrip(":,").lstrip()
    return " ".join([*(each.key for each in mentions), text]), tuple(mentions)


def _aftermath(say: Say, fate: _Fate, speakers: deque[str]) -> Iterator[Act]:
    who = speakers[int(fate.who * len(speakers))]
    if fate.reaction:
        yield React(say.at + fate.reaction, say.chat, say.message, who, fate.emoji)
    if fate.removal:
        yield Unreact(say.at + fate.removal, say.chat, say.message, who, fate.emoji)
    if fate.pin:
        yield Pin(say.at + fate.pin, say.chat, say.message, who)
    if fate.unpin:
        yield Unpin(say.at + fate.unpin, say.chat, say.message, who)
    if fate.recall:
        yield Recall(say.at + fate.recall, say.chat, say.message, say.sender)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise ScenarioError(f"{path} cannot be read: {error.strerror}") from error


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any], int]]:
    """Each line's number, its checked object, and how many bytes of the file are read."""
    try:
        with path.open("rb") as file:
            text = io.BufferedReader(gzip.GzipFile(fileobj=file)) if path.suffix == ".gz" else file
            for number, raw in enumerate(text, 1):
                if not raw.strip():
                    continue
                try:
                    line = orjson.loads(raw)
                except orjson.JSONDecodeError as error:
                    raise ScenarioError(f"{path.name}, line {number}: not JSON ({error})") from error
                if problem := _problem(line):
                    raise ScenarioError(f"{path.name}, line {number}: {problem}")
                yield number, line, file.tell()
    except (OSError, EOFError, zlib.error) as error:
        raise ScenarioError(f"{path} cannot be read: {error}") from error


def _problem(line: Any) -> str:
    """What is wrong with a decoded line, or nothing. Gives ``reply_to`` and ``mentions`` their defaults."""
    if not isinstance(line, dict):
        return "not a JSON object"
    for name in ("id", "chat", "user"):
        if not isinstance(line.get(name), str) or not line[name]:
            return f"{name} must be a text that is not empty"
    if not isinstance(line.get("text"), str):
        return "text must be a text"
    if type(line.get("ts")) is not int or line["ts"] < 0:
        return "ts must be a whole number of milliseconds"
    if line.setdefault("reply_to", None) is not None and not isinstance(line["reply_to"], str):
        return "reply_to must be an id or null"
    mentions = line.setdefault("mentions", [])
    if not isinstance(mentions, list) or not all(isinstance(each, str) and each for each in mentions):
        return "mentions must be a list of names"
    return ""
