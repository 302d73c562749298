"""Whatever happens in a group, archive and topics equal an independent account of the distinct events."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from archive_account import archive, topics
from archive_driver import DAY, MINUTE, Driver, edit
from archive_tables import archived, told
from group_events import NOVEMBER, message, recall
from hypothesis import given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.unmeasured  # Tracing each line of this would take minutes, and shows no line others do not.

PEOPLE = ("a", "b", "bot1")
MESSAGES = tuple(f"m{number}" for number in range(6))
TIMES = (0, 1, MINUTE, -20 * DAY, -3 * DAY, -40 * DAY)

texts = st.sampled_from(["", "好", "第一行\n第二行", "@_user_1 看 @_user_2", "@_all 开会", "长" * 100, "\n 空行在前"])


@st.composite
def messages(draw: st.DrawFn) -> list[dict[str, Any]]:
    """One message for each id or fewer, some of them never seen."""
    said = []
    roots = {"never seen": "never seen"}
    for number, message_id in enumerate(MESSAGES):
        if draw(st.integers(0, 9)) == 0:
            continue
        parent = draw(st.sampled_from(["", *MESSAGES[:number], "never seen"]))
        roots[message_id] = roots.get(parent, parent) or message_id
        kind = draw(st.sampled_from(["text", "text", "image"]))
        said.append(
            message(
                message_id,
                draw(st.sampled_from(PEOPLE)),
                draw(texts),
                at=NOVEMBER + draw(st.sampled_from(TIMES)),
                parent=parent,
                root=roots[message_id],
                mentions=draw(st.lists(st.sampled_from([*PEOPLE, "all"]), max_size=2, unique=True)),
                kind=kind,
                content={"image_key": "img_v3_x"} if kind == "image" else None,
                chat_type=draw(st.sampled_from(["group", "group", "group", "p2p"])),
            )
        )
    return said


edits = st.builds(
    lambda message_id, text, order: edit(message_id, text, at=NOVEMBER + DAY + order),
    st.sampled_from(MESSAGES),
    texts.filter(lambda text: "_user_" not in text),
    st.integers(1, 10**9),
)
"""Later than every message; two at the same moment do not happen."""


@st.composite
def histories(draw: st.DrawFn) -> list[list[dict[str, Any]]]:
    """Events in any order, some of them delivered again, cut into the runs between restarts."""
    edited = draw(st.lists(edits, max_size=6, unique_by=lambda one: one["event"]["message"]["update_time"]))
    recalled = [recall(one) for one in draw(st.lists(st.sampled_from(MESSAGES), max_size=3))]
    distinct = [*draw(messages()), *edited, *recalled]
    again = draw(st.lists(st.sampled_from(distinct), max_size=6)) if distinct else []
    events = draw(st.permutations([*distinct, *again]))
    cuts = sorted(draw(st.lists(st.integers(0, len(events)), max_size=3)))
    return [events[start:end] for start, end in zip([0, *cuts], [*cuts, len(events)], strict=True)]


@settings(max_examples=60, deadline=None)
@given(
    histories(), st.sampled_from(["blank", "keep"]), st.sampled_from([1, 2]), st.sampled_from([0, 3 * DAY, 25 * DAY])
)
def test_the_tables_equal_the_account(runs: list[list[dict[str, Any]]], recalled: str, least: int, later: int) -> None:
    config = {"recalled": recalled, "topic_min_replies": least, "summaries": False}
    with TemporaryDirectory() as directory, Driver(Path(directory), **config) as driver:
        for run in runs:
            driver.deliver(*run)
            driver.restart()
        driver.pass_time(later)
        told_of = [event for run in runs for event in run]
        keep = recalled == "keep"
        assert archived(driver.rows()) == archive(told_of, keep=keep)
        expected = topics(told_of, driver.now, at_least=least, keep=keep)
        assert told(driver.topics(), driver.rows()) == expected
