"""Whatever happens in a group, the activity table equals an independent fold over the distinct events."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from activity_driver import Driver
from group_events import NOVEMBER, message, pin, reaction, recall
from hypothesis import given, settings
from hypothesis import strategies as st
from reference_fold import fold, score

from plugins.activity.tables import ACTIVITY, COUNTERS

pytestmark = pytest.mark.unmeasured  # Tracing each line of this would take minutes, and shows no line others do not.

HALF_A_MONTH = 15 * 86_400_000
PEOPLE = ("a", "b", "bot1")
MESSAGES = tuple(f"m{number}" for number in range(5))

message_ids = st.sampled_from(MESSAGES)
text = st.sampled_from(["", "好", " 你好 ", "@_user_1 看 @_user_2", "@_all 开会", "👍🏽 e\u0301", "@_user_10"])
post = st.builds(
    lambda title, text: {
        "title": title,
        "content": [[{"tag": "text", "text": text}, {"tag": "at", "user_id": "@_user_1"}, {"tag": "a", "text": "x"}]],
    },
    text,
    text,
)


@st.composite
def messages(draw: st.DrawFn) -> list[dict[str, Any]]:
    """One message for each id or fewer, some of them never seen."""
    said = []
    for number, message_id in enumerate(MESSAGES):
        if draw(st.integers(0, 9)) == 0:
            continue
        parent = draw(st.sampled_from(["", *MESSAGES[:number], "never seen"]))
        kind = draw(st.sampled_from(["text", "text", "post", "image"]))
        said.append(
            message(
                message_id,
                draw(st.sampled_from(PEOPLE)),
                draw(text),
                at=NOVEMBER + draw(st.sampled_from([0, 1, -HALF_A_MONTH, HALF_A_MONTH, 2 * HALF_A_MONTH])),
                parent=parent,
                root=draw(st.sampled_from([parent, "m0"])),
                thread=draw(st.sampled_from(["", "t"])),
                mentions=draw(st.lists(st.sampled_from([*PEOPLE, "c", "all"]), max_size=3)),
                kind=kind,
                content=draw(post) if kind == "post" else {"image_key": "x"} if kind == "image" else None,
                chat_type=draw(st.sampled_from(["group", "group", "group", "p2p"])),
            )
        )
    return said


actions = st.lists(st.tuples(st.booleans(), st.integers(1, 2)), min_size=1, max_size=4)
"""Added or removed, and when: often several at once."""

stories = st.one_of(
    st.builds(lambda m: [recall(m)], message_ids),
    st.builds(
        lambda m, user, emoji, actions: [reaction(m, user, added=added, at=at, emoji=emoji) for added, at in actions],
        message_ids,
        st.sampled_from(PEOPLE),
        st.sampled_from(["OK", "DONE"]),
        actions,
    ),
    st.builds(lambda m, actions: [pin(m, added=added, at=at) for added, at in actions], message_ids, actions),
)


@st.composite
def histories(draw: st.DrawFn) -> list[list[dict[str, Any]]]:
    """Events in any order, some of them delivered again, cut into the runs between restarts."""
    told = draw(st.lists(stories, max_size=10))
    distinct = [*draw(messages()), *(event for story in told for event in story)]
    again = draw(st.lists(st.sampled_from(distinct), max_size=6)) if distinct else []
    events = draw(st.permutations([*distinct, *again]))
    cuts = sorted(draw(st.lists(st.integers(0, len(events)), max_size=3)))
    return [events[start:end] for start, end in zip([0, *cuts], [*cuts, len(events)], strict=True)]


@settings(max_examples=100, deadline=None)
@given(histories())
def test_the_table_equals_the_fold(runs: list[list[dict[str, Any]]]) -> None:
    with TemporaryDirectory() as directory, Driver(Path(directory)) as driver:
        for run in runs:
            driver.deliver(*run)
            driver.restart()
        assert driver.counters() == fold(event for run in runs for event in run)
        for row in driver.rows():
            assert row["score"] == score({ACTIVITY.by_name[name].title: row[name] for name in COUNTERS})
