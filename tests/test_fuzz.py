"""Hostile input from the socket to what plugins store; the long form is ``benchmarks/fuzz.py``."""

from __future__ import annotations

import feishu_events as feishu
import orjson
import pytest
from fuzzing import corpus, frame_of, fuzz, grown, render_all
from hostile import Hostility

from core.errors import Malformed
from core.events import LATEST, Message, decode
from plugins.activity.text import visible_length

pytestmark = pytest.mark.unmeasured  # Tracing each line of this would take minutes, and shows no line others do not.

CASES = 2_000


def test_hostile_cases_break_nothing_lose_no_neighbour_and_are_all_accounted_for() -> None:
    report = fuzz(grown(1_000_000, CASES))
    print(report)
    assert report.findings == []
    assert report.good == CASES // 10 + CASES // 500
    assert {"not a frame", "frame part numbers are impossible", "frame lacks required fields"} <= set(report.rejected)
    assert report.journaled > report.unreadable.total() > CASES // 20


def test_the_corpus_breaks_nothing() -> None:
    cases = corpus()
    report = fuzz(cases)
    assert report.findings == []
    assert report.cases == len(cases) > 80


def test_any_content_can_be_rendered() -> None:
    assert render_all(1_000_000, CASES) == []


def test_the_same_seed_grows_the_same_cases() -> None:
    assert [Hostility(5).frames() for _ in range(3)] == [Hostility(5).frames() for _ in range(3)]
    assert list(grown(5, 200)) == list(grown(5, 200))
    assert list(grown(5, 200)) != list(grown(6, 200))


@pytest.mark.parametrize("tag", [{}, [], {"a": []}])
def test_an_element_whose_tag_is_no_text_counts_nothing(tag: object) -> None:
    """Found by fuzzing: the plugin raised ``TypeError`` until the event was a dead letter."""
    content = {"title": "ab", "content": [[{"tag": tag, "text": "x"}, {"tag": "text", "text": "c"}]]}
    assert visible_length("post", orjson.loads(orjson.dumps(content))) == 3


@pytest.mark.parametrize("pin_time", ["9" * 16, "9" * 400])
def test_a_pin_time_that_no_column_holds_is_malformed(pin_time: str) -> None:
    """Found by fuzzing: the plugin raised ``TypeError``."""
    report = fuzz([[frame_of(feishu.pushed("pin.added", {"message_id": "om_1", "pin_time": pin_time}))]])
    assert report.refused == {"activity: Malformed": 1}
    assert report.findings == []


def test_a_moment_that_no_calendar_has_is_refused_at_the_door() -> None:
    """Found by fuzzing: a message of the year 33658 became a dead letter of two plugins."""
    with pytest.raises(Malformed, match="create_time"):
        decode(feishu.message("om_1", create_time="999999999999999"))
    last = decode(feishu.message("om_1", create_time=str(LATEST)))
    assert isinstance(last, Message)
    assert last.create_time == LATEST
