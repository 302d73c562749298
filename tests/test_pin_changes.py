"""What one answer of the platform proves about pins, whatever happens between two of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import Malformed
from plugins.pin.changes import Page, Pin, compare, page_of

A, B, C = Pin("om_a", 10, "ou_1"), Pin("om_b", 20, "ou_1"), Pin("om_c", 30, "ou_2")


def answer(*pins: Pin, more: bool = False) -> dict[str, Any]:
    items = [{"message_id": pin.message_id, "create_time": str(pin.time), "operator_id": pin.operator} for pin in pins]
    return {"items": items, "has_more": more}


def test_a_pin_not_known_is_new_and_one_not_listed_is_gone() -> None:
    changes = compare([A, B], page_of(answer(C, A)))
    assert changes.added == (C,)
    assert changes.removed == (B,)


def test_a_message_pinned_again_is_a_removal_and_an_addition() -> None:
    again = Pin("om_a", 40, "ou_2")
    changes = compare([A, B], page_of(answer(again, B)))
    assert changes.added == (again,)
    assert changes.removed == (A,)


def test_what_a_page_does_not_reach_is_not_gone() -> None:
    changes = compare([A, B, C], page_of(answer(C, B, more=True)))
    assert changes == compare([A], page_of(answer(A)))


def test_of_the_oldest_time_on_a_page_that_is_cut_nothing_is_proved() -> None:
    twin = Pin("om_twin", B.time, "ou_1")
    assert compare([twin], page_of(answer(C, B, more=True))).removed == ()


def test_a_page_asked_for_by_time_says_nothing_about_later_pins() -> None:
    assert compare([A, B, C], page_of(answer(A)), below=20).removed == ()
    assert compare([A, B, C], page_of(answer(A)), below=21).removed == (B,)


def test_an_older_pin_of_a_message_takes_nothing_back() -> None:
    newer = Pin("om_a", 40, "ou_1")
    assert compare([newer], page_of(answer(A))) == compare([A], page_of(answer(A)))


def test_no_pins_at_all_removes_them_all() -> None:
    assert compare([A, B], page_of({"has_more": False})).removed == (B, A)


def test_the_next_page_begins_where_the_last_ended_and_always_further_down() -> None:
    page = Page((C, B), more=True)
    assert page.following(None) == 21
    assert page.following(21) == 20
    assert Page((C, B), more=False).following(None) is None


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"items": []},
        {"items": [], "has_more": True},
        {"items": {}, "has_more": "no"},
        {"items": "none", "has_more": False},
        {"items": [None], "has_more": False},
        {"items": [{"message_id": "om_a"}], "has_more": False},
        {"items": [{"message_id": "", "create_time": "1"}], "has_more": False},
        {"items": [{"message_id": "om_a", "create_time": 1}], "has_more": False},
        answer(A, B),
    ],
)
def test_an_answer_that_is_not_as_promised_is_never_taken_for_no_pins(data: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        page_of(data)


class Group:
    """Pins as the platform keeps them: at most two in one ms, three a page."""

    def __init__(self, *, inclusive: bool) -> None:
        self.pins: dict[str, int] = {}
        self.ever: set[tuple[str, int]] = set()
        self.now = 100
        self._inclusive = inclusive

    def turn(self, message: int, *, step: bool) -> None:
        """A message is pinned, or unpinned where it was."""
        name = f"om_{message}"
        if self.pins.pop(name, None) is None:
            twins = [at for at in self.pins.values() if at == self.now]
            self.now += 2 * (step or len(twins) >= 2 or (name, self.now) in self.ever)
            self.pins[name] = self.now
            self.ever.add((name, self.now))

    def ask(self, below: int | None) -> Page:
        ordered = sorted(self.pins.items(), key=lambda pin: -pin[1])
        end = None if below is None else below + self._inclusive
        found = [Pin(name, at, "ou_1") for name, at in ordered if end is None or at < end]
        return page_of(answer(*found[:3], more=len(found) > 3))


ACTS = st.lists(st.one_of(st.none(), st.tuples(st.integers(0, 11), st.booleans())), max_size=80)
"""None = the next page is asked for; else a message is pinned or unpinned, in a new ms or the same."""


@given(ACTS, st.booleans())
def test_whatever_happens_between_two_pages_no_change_is_made_up_and_none_is_lost(acts: Any, inclusive: bool) -> None:
    group = Group(inclusive=inclusive)
    known: dict[str, Pin] = {}
    told: set[tuple[str, str, int]] = set()
    below: int | None = None

    def ask() -> None:
        nonlocal below
        page = group.ask(below)
        changes = compare(known.values(), page, below)
        for pin in changes.removed:
            assert group.pins.get(pin.message_id) != pin.time, "it is still pinned"
            assert known.pop(pin.message_id) == pin
            told_once("removed", pin)
        for pin in changes.added:
            assert group.pins.get(pin.message_id) == pin.time, "it is not pinned"
            assert pin.message_id not in known
            known[pin.message_id] = pin
            told_once("added", pin)
        below = page.following(below)

    def told_once(what: str, pin: Pin) -> None:
        assert (what, pin.message_id, pin.time) not in told
        told.add((what, pin.message_id, pin.time))

    for act in acts:
        ask() if act is None else group.turn(act[0], step=act[1])
    for _ in range(2):  # The pass under way, and a whole one.
        ask()
        while below is not None:
            ask()
    assert {name: pin.time for name, pin in known.items()} == group.pins
