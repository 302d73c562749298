"""The short form of ``benchmarks/isolation.py``: all that misbehave at once; nothing here depends on speed."""

from __future__ import annotations

from pathlib import Path

import pytest
from isolating import UNRULY, Course, beside


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    directory: Path = tmp_path_factory.mktemp("isolation")
    return beside(directory, [*UNRULY], events_a_second=25, seconds=8)


def test_beside_plugins_that_misbehave_nothing_is_lost(course: Course) -> None:
    verdict = course.verdict
    assert (verdict.missing, verdict.twice, verdict.pushes["given_up"]) == ((), (), 0)
    assert verdict.acknowledged == verdict.events > 150


def test_beside_plugins_that_misbehave_the_others_finish_everything_and_get_it_right(course: Course) -> None:
    assert course.verdict.wrong == []
    assert course.verdict.sizes["archive"] > 150
    assert course.lags[0] == 0
    failed = {name for name, attempts in course.attempts.items() if attempts}
    assert {"raises", "exits"} <= failed <= UNRULY.keys()


def test_who_may_have_held_the_interpreter_is_told(course: Course) -> None:
    assert any("freezes (on_message)" in line and "held the interpreter" in line for line in course.noticed)
