"""The bundled scenario: 28 people build a product for two months, in a group and in a topic group beside it.

September and October 2026 in Shanghai, with releases, an outage, a review, holidays and lunch. The seed decides who
says what and when; the storylines stay. The same seed gives the same scenario, byte for byte.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal

from . import everyday, kinds, leisure, storylines, weekly
from .act import Act, Chat, Join, Leave, Scenario
from .aftermath import Aftermath
from .cast import BEGIN, END, Member, members, shanghai
from .edges import Edges
from .ids import identity
from .script import filler
from .stage import Stage
from .words import WORDS

NAME = "bundled"

_FIRST, _LAST = date(2026, 9, 1), date(2026, 10, 31)
_HOLIDAYS = {*(date(2026, 9, day) for day in (25, 26, 27)), *(date(2026, 10, day) for day in range(1, 8))}
_MADE_UP = {date(2026, 9, 20), date(2026, 10, 10)}
"""Weekend days that are worked because of a holiday."""
_FROZEN = {date(2026, 9, 28), date(2026, 9, 30)}
"""Nothing is planned or released just before the long holiday."""
_MONDAY, _WEDNESDAY, _FRIDAY = 0, 2, 4


def load(*, seed: int) -> Scenario:
    """The scenario of this seed: some 3,000 messages and 1,400 other acts."""
    cast = members(seed)
    owner = next(each.person.open_id for each in cast if each.role == "项目经理")
    main = _chat(seed, "云雀项目群", "group", cast, owner)
    topics = _chat(seed, "云雀技术话题", "topic", tuple(each for each in cast if each.technical), owner)
    acts = tuple(_acts(seed, cast, main, topics))
    return Scenario(NAME, tuple(each.person for each in cast), (main, topics), lambda: iter(acts), len(acts))


def _chat(seed: int, name: str, kind: Literal["group", "topic"], cast: tuple[Member, ...], owner: str) -> Chat:
    there = tuple(each.person.open_id for each in cast if each.joined == BEGIN)
    return Chat(identity("oc_", seed, "chat", name), name, there, kind, owner)


def _acts(seed: int, cast: tuple[Member, ...], main: Chat, topics: Chat) -> list[Act]:
    chance = random.Random(seed)  # noqa: S311 - a scenario, not a secret.
    group = Stage(main, cast, seed, chance)
    corner = Stage(topics, tuple(each for each in cast if each.technical), seed, chance)
    Season(group, corner, chance).play()
    follow = [*Aftermath(group).follow(), *Aftermath(corner).follow(), *Edges(group).play()]
    kinds.play(group, corner)
    moves = [*_moves(group), *_moves(corner)]
    return sorted((*moves, *group.says, *corner.says, *follow), key=lambda act: act.at)


def _moves(stage: Stage) -> Iterator[Act]:
    """Who comes and goes, and what the platform says of it."""
    owner = next(each.person for each in stage.members if each.person.open_id == stage.chat.owner)
    for member in stage.members:
        person, chat = member.person, stage.chat.chat_id
        if member.joined > BEGIN:
            yield Join(member.joined, chat, person.open_id, owner.open_id)
            invited = "{from_user} invited {to_chatters} to this chat."
            stage.announce(member.joined, invited, from_user=[owner.name], to_chatters=[person.name])
        if member.left < END:
            alone = member.talks > 0
            yield Leave(member.left, chat, person.open_id, "" if alone else owner.open_id)
            if not alone:
                removed = "{from_user} removed {to_chatters} from this chat."
                stage.announce(member.left, removed, from_user=[owner.name], to_chatters=[person.name])


@dataclass(slots=True)
class Deck:
    """Scripts that are all drawn once before any is drawn again, and never one twice in a row."""

    scripts: tuple[str, ...]
    chance: random.Random
    left: list[str] = field(default_factory=list)
    last: str = ""

    def draw(self) -> str:
        if not self.left:
            self.left = self.chance.sample(self.scripts, len(self.scripts))
            self.left.sort(key=lambda script: script != self.last)
        self.last = self.left.pop()
        return self.last


@dataclass(slots=True)
class Season:
    """Plays the two months, day by day."""

    group: Stage
    corner: Stage
    chance: random.Random
    decks: dict[tuple[str, ...], Deck] = field(default_factory=dict)
    released: int = 0

    def play(self) -> None:
        day = _FIRST
        while day <= _LAST:
            worked = day not in _HOLIDAYS and (day.weekday() < 5 or day in _MADE_UP)
            if worked:
                self._work(day)
            else:
                self._rest(day)
            for when, script in storylines.DATED:
                if when.startswith(day.isoformat()):
                    self._perform(self.group, script, shanghai(when), day)
            day += timedelta(days=1)

    def _work(self, day: date) -> None:
        for _ in range(2):
            self._draw(everyday.MORNING, day, "09:02", "10:10")
        for _ in range(self.chance.randint(3, 5)):
            self._draw(everyday.WORK, day, "10:00", "12:00")
        for _ in range(self.chance.randint(1, 2)):
            self._draw(leisure.LUNCH, day, "11:20", "12:20")
        for _ in range(self.chance.randint(3, 5)):
            self._draw(everyday.WORK, day, "13:30", "18:20")
        for _ in range(self.chance.randint(0, 2)):
            self._draw(leisure.SMALLTALK, day, "12:20", "17:30")
        if self.chance.random() < 0.6:
            self._draw(leisure.EVENING, day, "18:40", "22:40")
        if self.chance.random() < 0.7:
            self._draw(weekly.TOPICS, day, "10:20", "17:40", self.corner)
        if day in _FROZEN or day in _MADE_UP:
            return
        if day.weekday() == _MONDAY:
            self._draw(weekly.MONDAY, day, "09:30", "09:40")
        if day.weekday() == _WEDNESDAY:
            self._draw(weekly.RELEASE_NOTICE, day, "11:00", "14:30")
            self._draw(weekly.RELEASE, day, "20:00", "20:10")
            self.released += 1
        if day.weekday() == _FRIDAY:
            self._draw(weekly.FRIDAY, day, "16:40", "17:20")

    def _rest(self, day: date) -> None:
        for _ in range(self.chance.randint(0, 2)):
            self._draw(leisure.WEEKEND, day, "09:40", "21:30")
        if self.chance.random() < 0.4:
            self._draw(leisure.SMALLTALK, day, "11:00", "22:00")

    def _draw(self, scripts: tuple[str, ...], day: date, begin: str, end: str, stage: Stage | None = None) -> None:
        """Plays the next script of its kind at some time of the day between ``begin`` and ``end``."""
        deck = self.decks.setdefault(scripts, Deck(scripts, self.chance))
        at = self.chance.randint(shanghai(f"{day} {begin}"), shanghai(f"{day} {end}"))
        self._perform(stage or self.group, deck.draw(), at, day)

    def _perform(self, stage: Stage, script: str, at: int, day: date) -> None:
        known = {"版本": f"2.0.{self.released + 1}", "周": f"第 {day.isocalendar().week} 周"}
        stage.perform(script, at, filler(WORDS, known, self.chance))
