"""Whatever happens to pins, between whatever calls, with whatever failures and restarts: nothing is made up or lost."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pin_driver import Driver, words
from pin_platform import Pinned, PinPlatform, refusal

from core import Unreachable
from plugins.pin.tables import KNOWN

pytestmark = pytest.mark.unmeasured  # Tracing each line of this would take minutes, and shows no line others do not.

CHATS = ("oc_1", "oc_2")


class Cut(Exception):
    """The program ends in the middle of a hook."""


TURNS = st.tuples(st.sampled_from(CHATS), st.integers(0, 6))
"""A message of a group is pinned, or unpinned where it was."""
TROUBLES = st.sampled_from(("", "", "", "cut", "unreachable", "limited", "away"))
STEPS = st.lists(
    st.tuples(st.lists(TURNS, max_size=4), st.lists(st.tuples(st.lists(TURNS, max_size=2), TROUBLES), max_size=6)),
    max_size=6,
)
"""Between two rounds, and before each call of a round: what people do, and what goes wrong."""


class Story:
    """A platform on which people act, and what the plugin makes of it."""

    def __init__(self, directory: Path, *, inclusive: bool) -> None:
        self.platform = PinPlatform(size=3, inclusive=inclusive)
        self.platform.pins = {chat: {} for chat in CHATS}
        self.driver = Driver(directory, self.platform)
        self.script: list[Any] = []
        self.gone: set[Pinned] = set()
        self.platform.meanwhile = self._before

    def turn(self, chat: str, number: int) -> None:
        name = f"om_{chat}_{number}"
        at = self.platform.pins[chat].get(name)
        if at is not None:
            self.platform.unpin(chat, name)
            self.gone.add(Pinned(name, at[0]))
        else:
            self.driver.advance(0.002)
            self.platform.pin(chat, name)

    def round(self) -> None:
        """A round, through whatever goes wrong; the pauses that follow pass."""
        due = self.driver.due()
        assert due is not None
        self.driver.advance(max(0, due - self.driver.now) / 1000)
        for _ in range(30):
            due = self.driver.due()
            assert due is not None
            if due > self.driver.now:
                return
            try:
                self.driver.slice()
            except Cut:
                self.driver.restart()
            self.check()

    def check(self) -> None:
        """What was said is true and was said once."""
        said = Counter(self.driver.events())
        assert set(said.values()) <= {1}
        for kind, message, time in said:
            assert Pinned(message, time) in (self.gone if kind == "pin.removed" else self.platform.ever)
            if kind == "pin.removed":
                assert ("pin.added", message, time) in said

    def _before(self, call: str) -> None:
        if self.script:
            turns, trouble = self.script.pop(0)
            for turn in turns:
                self.turn(*turn)
            if trouble:
                raise {
                    "cut": Cut(),
                    "unreachable": Unreachable("no answer"),
                    "limited": refusal(230048),
                    "away": refusal(230002),
                }[trouble]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STEPS, st.booleans())
def test_a_story_of_pins(steps: Any, inclusive: bool) -> None:
    with tempfile.TemporaryDirectory() as directory:
        story = Story(Path(directory), inclusive=inclusive)
        with story.driver as driver:
            for turns, script in steps:
                for turn in turns:
                    story.turn(*turn)
                story.script = script
                story.round()
            story.script = []
            driver.restart()
            for _ in range(3):
                story.round()
            standing = {pin for chat in CHATS for pin in story.platform.standing(chat)}
            assert {(row["message_id"], row["content"]) for row in driver.rows()} == {
                (pin.message_id, f"说 {pin.message_id}") for pin in standing
            }
            known = driver.rows(KNOWN)
            assert {Pinned(row["message_id"], row["time"]) for row in known if row["removed"] is None} == standing
            balance = Counter[Pinned]()
            for kind, message, time in driver.events():
                balance[Pinned(message, time)] += 1 if kind == "pin.added" else -1
            assert {pin for pin, count in balance.items() if count} == standing
            keys = [message.key for message in driver.sent]
            assert len(keys) == len(set(keys))
            told = Counter(key.rsplit(":", 1)[-1] for key in keys)
            assert set(told.values()) <= {1}
            assert all("说 om_" in words(card) for card in driver.cards())
