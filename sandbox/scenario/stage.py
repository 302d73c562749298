"""Plays scripts in one chat: gives the roles to people, the lines their times, and the messages their ids."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from .act import Chat, Say
from .cast import ANYBODY, Member, choose
from .content import Draft
from .ids import identity
from .script import Fill, read

SEVERAL = "大家"


@dataclass(slots=True)
class Scene:
    """One conversation under way: who has which role, and what each said last."""

    parts: dict[str, Member] = field(default_factory=dict)
    last: dict[str, Say] = field(default_factory=dict)
    first: Say | None = None


@dataclass(slots=True)
class Stage:
    """A chat and all that was said in it. In a topic group every conversation is one topic."""

    chat: Chat
    members: tuple[Member, ...]
    seed: int
    chance: random.Random
    says: list[Say] = field(default_factory=list)
    marks: dict[str, str] = field(default_factory=dict)
    """By message: the marks of its line in the script."""

    def perform(self, script: str, at: int, fill: Fill) -> int:
        """Plays the script from ``at`` on; returns the time of its last message."""
        scene = Scene()
        for line in read(script):
            at += line.wait * self.chance.randint(50_000, 70_000)
            if line.maybe and self.chance.random() < 0.4:
                continue
            speakers = [line.who]
            if line.who == SEVERAL:
                speakers = [f"{ANYBODY}{number}" for number in range(10, 10 + self.chance.randint(2, 5))]
            for who in speakers:
                text = fill(line.text)
                at += self._pause(text)
                parent = scene.last.get(line.to)
                threaded = line.threaded
                if self.chat.kind == "topic":
                    parent, threaded = scene.first, True
                said = self.say(at, who, text, scene, parent=parent, threaded=threaded)
                if line.marks:
                    self.marks[said.message] = line.marks
        return at

    def say(
        self, at: int, who: str, text: str, scene: Scene, *, parent: Say | None = None, threaded: bool = False
    ) -> Say:
        """One message by the role ``who``. A reply in a topic names the topic's root as its parent."""
        message = identity("om_", self.seed, self.chat.chat_id, len(self.says))
        sender = self._part(who, at, scene)
        draft = Draft(lambda role: self._part(role, at, scene).person, self.chance, message).write(text)
        threaded = threaded or bool(parent and parent.thread)
        root = (parent.root or parent.message) if parent else ""
        said = Say(
            at=at,
            chat=self.chat.chat_id,
            message=message,
            sender=sender.person.open_id,
            type=draft.type,
            content=draft.content,
            parent=(root if threaded else parent.message) if parent else "",
            root=root,
            thread=threaded,
            mentions=tuple(draft.mentions),
            resources=tuple(draft.resources),
        )
        self.says.append(said)
        scene.last[who] = said
        scene.first = scene.first or said
        return said

    def announce(self, at: int, template: str, **names: list[str]) -> Say:
        """A message of the platform itself."""
        message = identity("om_", self.seed, self.chat.chat_id, len(self.says))
        said = Say(at, self.chat.chat_id, message, "", "system", {"template": template, **names})
        self.says.append(said)
        return said

    def _part(self, who: str, at: int, scene: Scene) -> Member:
        if who not in scene.parts or not scene.parts[who].present(at):
            role = who.rstrip("0123456789")
            scene.parts[who] = choose(role, self.members, at, scene.parts.values(), self.chance)
        return scene.parts[who]

    def _pause(self, text: str) -> int:
        """ms until the next message: reading, typing, and now and then something else first."""
        typing = 900 + min(len(text), 120) * self.chance.randint(90, 220)
        aside = self.chance.choices((0, self.chance.randint(20_000, 240_000)), (3, 1))[0]
        return self.chance.randint(1_500, 14_000) + typing + aside
