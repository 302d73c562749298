"""Which earlier message a message belongs to, where people answer without replying.

Every recent message is a candidate and gets points: for who speaks to whom, for whether the speaker takes part in that
conversation, for how near it is, for the rare words both share. Beginning a new conversation is a candidate too. The
most points win, the nearer one of two that are equal. What each trait is worth was learned from annotated replies
(docs/grouping.md). A reply says itself what it belongs to and is never guessed at.

Pure and online: a message is placed by what came before it and never moved. The state is one tuple for each group, of
at most ``Rule.window`` messages; to place a message takes time in proportion to it.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

MINUTE: Final = 60_000

DISTANCES: Final = (1, 2, 3, 5, 10, 20, 40)
"""Messages back, counted from the newest."""
GAPS: Final = (1, 3, 10)
"""Minutes."""
RARITIES: Final = (0, 2, 4, 7, 11)
"""How rare the shared words are together: each counts ln((window + 1) / (k + 0.5)) when k messages have it."""

POINTS: Final[Mapping[str, float]] = MappingProxyType(
    {
        "own: goes on to the same person, after an older one": -2.4,
        "own: goes on to the same person, after the latest": -0.3,
        "own: goes on, after an older one": -1.9,
        "own: goes on, after the latest": 0.2,
        "own: turns to another person, after an older one": -3.2,
        "own: turns to another person, after the latest": -1.9,
        "other: it names somebody else, not spoken since": -1.9,
        "other: it names somebody else, spoken since": -2.4,
        "other: names each other, latest, not spoken since": 2.4,
        "other: names each other, latest, spoken since": 1.2,
        "other: names each other, older, not spoken since": 2.2,
        "other: names each other, older, spoken since": 0.0,
        "other: names its sender, latest, not spoken since": 0.6,
        "other: names its sender, latest, spoken since": 0.6,
        "other: names its sender, older, not spoken since": 0.7,
        "other: names its sender, older, spoken since": -0.6,
        "other: names somebody else, latest": -2.4,
        "other: names somebody else, older": -3.6,
        "other: neither names anybody, not spoken since": 0.0,
        "other: neither names anybody, spoken since": -1.3,
        "other: was named by it, not spoken since": 1.7,
        "other: was named by it, spoken since": -0.5,
        "circle: sender is named in it": -0.6,
        "circle: sender is named in it, with whom it names": 0.3,
        "circle: sender is named in it, without whom it names": -1.7,
        "circle: sender is not in it": -3.1,
        "circle: sender is not in it, with whom it names": -0.2,
        "circle: sender is not in it, without whom it names": -3.8,
        "circle: sender speaks in it": 0.0,
        "circle: sender speaks in it, with whom it names": 1.7,
        "circle: sender speaks in it, without whom it names": -1.6,
        "shared: up to 0": 0.0,
        "shared: up to 2": 0.4,
        "shared: up to 4": 0.9,
        "shared: up to 7": 1.0,
        "shared: up to 11": 1.4,
        "shared: more": 2.2,
        "it asks": 0.4,
        "distance: up to 1": 0.0,
        "distance: up to 2": -0.7,
        "distance: up to 3": -1.0,
        "distance: up to 5": -1.4,
        "distance: up to 10": -2.0,
        "distance: up to 20": -2.8,
        "distance: up to 40": -3.7,
        "distance: more": -4.2,
        "gap: up to 1": 0.0,
        "gap: up to 3": -0.5,
        "gap: up to 10": -1.2,
        "gap: more": -1.8,
        "begins: a question to nobody, by somebody known": -1.4,
        "begins: a question to nobody, by somebody new": 1.0,
        "begins: a question to somebody heard, by somebody known": -3.4,
        "begins: a question to somebody heard, by somebody new": -2.8,
        "begins: a question to somebody not heard, by somebody known": -2.5,
        "begins: a question to somebody not heard, by somebody new": -1.3,
        "begins: a statement to nobody, by somebody known": -2.4,
        "begins: a statement to nobody, by somebody new": -1.0,
        "begins: a statement to somebody heard, by somebody known": -4.1,
        "begins: a statement to somebody heard, by somebody new": -3.9,
        "begins: a statement to somebody not heard, by somebody known": -3.0,
        "begins: a statement to somebody not heard, by somebody new": -1.4,
    }
)
"""What each trait is worth: ``benchmarks/grouping.py --learn`` prints this table."""


@dataclass(frozen=True, slots=True)
class Said:
    """One message, as far as the rule looks at it."""

    message_id: str
    sender: str
    time: int
    """ms UTC"""
    words: frozenset[str] = frozenset()
    mentions: frozenset[str] = frozenset()
    """The people it names; not ``@all``, not its sender."""
    asks: bool = False
    parent: str = ""
    """The message it replies to; once placed, the one it was found to belong to (empty = it begins something)."""
    root: str = ""
    """The first message of its conversation, where a reply says so; once placed, always."""


Recent = tuple[Said, ...]
"""The latest messages of one group, all placed, in order of time."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How far back is looked, and what the traits are worth."""

    window: int = 50
    """Messages remembered."""
    horizon: int = 120 * MINUTE
    """The age in ms beyond which nothing is taken up again unless a reply does."""
    points: Mapping[str, float] = field(default_factory=lambda: POINTS)

    def __post_init__(self) -> None:
        if self.window < 1 or self.horizon < 0:
            raise ValueError(f"a window of at least 1 and a horizon of at least 0, not {self.window}, {self.horizon}")


RULE: Final = Rule()


def place(recent: Recent, message: Said, rule: Rule = RULE) -> tuple[Recent, Said]:
    """The state after ``message``, and the message with its ``parent`` and ``root`` filled in."""
    others = without(recent, message.message_id)
    parent = message.parent or parent_of(message, others, rule)
    roots = {said.message_id: said.root for said in others}
    root = roots.get(parent) or roots.get(message.root) or message.root or parent or message.message_id
    placed = replace(message, parent=parent, root=root)
    at = bisect_right(others, placed.time, key=lambda said: said.time)
    return (*others[:at], placed, *others[at:])[-rule.window :], placed


def without(recent: Recent, message_id: str) -> Recent:
    """The state with one message forgotten, as its recall demands."""
    return tuple(said for said in recent if said.message_id != message_id)


def packed(recent: Recent) -> list[Any]:
    """The state as JSON can hold it; the same state gives the same JSON."""
    return [
        [m.message_id, m.sender, m.time, sorted(m.words), sorted(m.mentions), m.asks, m.parent, m.root] for m in recent
    ]


def unpacked(value: Sequence[Any]) -> Recent:
    """The state that ``packed`` gave."""
    return tuple(
        Said(message_id, sender, time, frozenset(words), frozenset(mentions), asks, parent, root)
        for message_id, sender, time, words, mentions, asks, parent, root in value
    )


def parent_of(message: Said, recent: Recent, rule: Rule = RULE) -> str:
    """The candidate with the most points; empty when that is to begin something new."""
    best, most = "", -math.inf
    for candidate, traits in candidates(message, recent, rule):
        points = sum(rule.points.get(trait, 0.0) for trait in traits)
        if points > most:
            best, most = candidate, points
    return best


def candidates(message: Said, recent: Recent, rule: Rule = RULE) -> Iterator[tuple[str, Sequence[str]]]:
    """To begin something new (empty), then each message in reach, the nearest first, with their traits."""
    reach = [said for said in recent if 0 <= message.time - said.time <= rule.horizon]
    yield "", (_beginning(message, reach),)
    rarity = _rarity(message.words, reach, rule.window)
    speakers: dict[str, set[str]] = {}
    named: dict[str, set[str]] = {}
    for said in reach:
        speakers.setdefault(said.root, set()).add(said.sender)
        named.setdefault(said.root, set()).update(said.mentions)
    heard: set[str] = set()
    for distance, said in enumerate(reversed(reach), 1):
        traits = [
            _relation(message, said, latest=said.sender not in heard, spoken=message.sender in heard),
            _circle(message, speakers[said.root], named[said.root]),
            _step("distance", distance, DISTANCES),
            _step("gap", (message.time - said.time) / MINUTE, GAPS),
            _step("shared", math.fsum(rarity[word] for word in said.words & rarity.keys()), RARITIES),
        ]
        if said.asks and said.sender != message.sender:
            traits.append("it asks")
        yield said.message_id, traits
        heard.add(said.sender)


def _beginning(message: Said, reach: Sequence[Said]) -> str:
    people = {said.sender for said in reach}
    if not message.mentions:
        to = "to nobody"
    elif message.mentions & people:
        to = "to somebody heard"
    else:
        to = "to somebody not heard"
    known = message.sender in people or any(message.sender in said.mentions for said in reach)
    what = "a question" if message.asks else "a statement"
    return f"begins: {what} {to}, by somebody {'known' if known else 'new'}"


def _relation(message: Said, said: Said, *, latest: bool, spoken: bool) -> str:
    """Who speaks to whom: ``latest`` of its own sender; ``spoken`` when the message's sender spoke after it."""
    if said.sender == message.sender:
        if not message.mentions:
            relation = "goes on"
        elif message.mentions & said.mentions:
            relation = "goes on to the same person"
        else:
            relation = "turns to another person"
        return f"own: {relation}, {'after the latest' if latest else 'after an older one'}"
    named_me = message.sender in said.mentions
    since = "spoken since" if spoken else "not spoken since"
    if said.sender in message.mentions:
        relation = "names each other" if named_me else "names its sender"
        return f"other: {relation}, {'latest' if latest else 'older'}, {since}"
    if message.mentions:
        return f"other: names somebody else, {'latest' if latest else 'older'}"
    if named_me:
        return f"other: was named by it, {since}"
    return f"other: {'it names somebody else' if said.mentions else 'neither names anybody'}, {since}"


def _circle(message: Said, speakers: set[str], named: set[str]) -> str:
    """How the sender, and those the message names, stand to a conversation with these speakers."""
    if message.sender in speakers:
        sender = "speaks in it"
    else:
        sender = "is named in it" if message.sender in named else "is not in it"
    if not message.mentions:
        return f"circle: sender {sender}"
    return f"circle: sender {sender}, {'with' if message.mentions & speakers else 'without'} whom it names"


def _rarity(words: frozenset[str], reach: Sequence[Said], window: int) -> dict[str, float]:
    """What sharing each word says, as in a full window: in a quiet group everything looks frequent."""
    counts = Counter(word for said in reach for word in said.words & words)
    return {word: max(0.0, math.log((window + 1) / (count + 0.5))) for word, count in counts.items()}


def _step(kind: str, value: float, steps: Sequence[int]) -> str:
    at = bisect_left(steps, value)
    return f"{kind}: up to {steps[at]}" if at < len(steps) else f"{kind}: more"
