"""What follows the talk in the bundled group: reactions, edits, pins and recalls, each after what it concerns."""

from __future__ import annotations

from dataclasses import dataclass, field

from .act import Act, Edit, Pin, React, Recall, Say, Unpin, Unreact
from .cast import END, Member
from .stage import Stage

SECOND, MINUTE, DAY = 1_000, 60_000, 86_400_000

_EMOJIS = {
    "THUMBSUP": 20, "OK": 10, "DONE": 8, "Get": 6, "LGTM": 3, "OnIt": 3, "THANKS": 5, "APPLAUSE": 6, "HEART": 6,
    "LAUGH": 6, "LOL": 4, "FACEPALM": 2, "MUSCLE": 4, "JIAYI": 6, "SMILE": 4, "PARTY": 3, "Fire": 2, "SOB": 1,
}  # fmt: skip
_CORRECTIONS = ("（更正：以这条为准）", "（补充：时间不变）", "（改了个错别字）", "（已和相关同学确认）")


@dataclass(slots=True)
class Aftermath:
    """Everything that follows the messages of one stage."""

    stage: Stage
    acts: list[Act] = field(default_factory=list)
    touched: dict[str, int] = field(default_factory=dict)
    """By message: when it was last said, answered or reacted to (ms UTC)."""

    def follow(self) -> list[Act]:
        """The acts, in no particular order."""
        self.touched = {said.message: said.at for said in self.stage.says}
        answered = set()
        for said in self.stage.says:
            for above in filter(None, (said.parent, said.root)):
                answered.add(above)
                self.touched[above] = max(self.touched[above], said.at)
        for said in self.stage.says:
            marks = self.stage.marks.get(said.message, "")
            if not said.sender:
                continue
            if "~" not in marks:
                self._react(said, liked="!" in marks)
                self._edit(said, wanted="^" in marks)
                self._pin(said, wanted="*" in marks)
            if "~" in marks:
                self._recall(said, 8)
            elif not marks and said.message not in answered and self._chance(0.02):
                self._recall(said, 90)
        return self.acts

    def _chance(self, share: float) -> bool:
        return self.stage.chance.random() < share

    def _later(self, least: int, most: int) -> int:
        """ms, drawn between two times given in s."""
        return self.stage.chance.randint(least * SECOND, most * SECOND)

    def _there(self, person: str, at: int) -> bool:
        return at < END and any(each.person.open_id == person and each.present(at) for each in self.stage.members)

    def _touch(self, message: str, at: int) -> None:
        self.touched[message] = max(self.touched[message], at)

    def _react(self, said: Say, *, liked: bool) -> None:
        count = self.stage.chance.randint(3, 9) if liked else self.stage.chance.choices((0, 1, 2, 3), (77, 16, 5, 2))[0]
        for member in self._readers(said.at, count):
            person = member.person.open_id
            at = said.at + 2 * SECOND + round(self.stage.chance.expovariate(1 / (4 * MINUTE)))
            if not self._there(person, at):
                continue
            emoji = self.stage.chance.choices(tuple(_EMOJIS), tuple(_EMOJIS.values()))[0]
            self.acts.append(React(at, said.chat, said.message, person, emoji))
            self._touch(said.message, at)
            if self._chance(0.08) and self._there(person, at := at + self._later(2, 900)):
                self.acts.append(Unreact(at, said.chat, said.message, person, emoji))
                self._touch(said.message, at)

    def _readers(self, at: int, count: int) -> list[Member]:
        """Up to ``count`` different people; those who never write seldom react either."""
        there = [each for each in self.stage.members if each.present(at) and (each.talks or self._chance(0.2))]
        return self.stage.chance.sample(there, min(count, len(there)))

    def _edit(self, said: Say, *, wanted: bool) -> None:
        if said.type != "text" or not (wanted or self._chance(0.012)):
            return
        at = said.at + self._later(15, 180)
        if self._there(said.sender, at):
            correction = self.stage.chance.choice(_CORRECTIONS)
            self.acts.append(Edit(at, said.chat, said.message, {"text": said.content["text"] + correction}))
            self._touch(said.message, at)

    def _pin(self, said: Say, *, wanted: bool) -> None:
        if not wanted and not (said.type in ("post", "file") and self._chance(0.09)):
            return
        at = said.at + self._later(10, 240)
        if not self._there(said.sender, at):
            return
        self.acts.append(Pin(at, said.chat, said.message, said.sender))
        self._touch(said.message, at)
        at += self.stage.chance.randint(2 * DAY, 12 * DAY)
        if self._chance(0.4) and self._there(said.sender, at):
            self.acts.append(Unpin(at, said.chat, said.message, said.sender))
            self._touch(said.message, at)

    def _recall(self, said: Say, most: int) -> None:
        at = self.touched[said.message] + self._later(2, most)
        if self._there(said.sender, at):
            self.acts.append(Recall(at, said.chat, said.message, said.sender))
