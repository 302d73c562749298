"""Which command a message asks for."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from larkflock_commands.asked import LONGEST, Asked, asked
from larkflock_commands.settings import CommandsConfig
from pydantic import ValidationError

ALIASES = {"排行": "rank", "top": "rank"}


@pytest.mark.parametrize(
    ("text", "name", "arguments"),
    [
        ("/rank", "rank", ()),
        ("  /rank  2026-11 ", "rank", ("2026-11",)),
        ("／RANK 2026-11", "rank", ("2026-11",)),
        ("/topics\n3\t2", "topics", ("3", "2")),
        ("@_user_1 /rank", "rank", ()),
        ("/rank @_user_1", "rank", ()),
        ("@_all /rank", "rank", ()),
        ("/排行 2026-11", "rank", ("2026-11",)),
        ("/top", "rank", ()),
        ("/check-in_2", "check-in_2", ()),
    ],
)
def test_a_slash_makes_a_command(text, name, arguments):
    assert asked(text, ["@_user_1"], ALIASES) == Asked(name, arguments, slash=True)


def test_an_alias_alone_is_a_command_too():
    assert asked("排行 2026-11", [], ALIASES) == Asked("rank", ("2026-11",), slash=False)


def test_the_tenth_mention_is_not_the_first_with_a_zero():
    keys = [f"@_user_{number}" for number in range(1, 12)]
    assert asked(f"{' '.join(keys)} /rank", keys, ALIASES) == Asked("rank", (), slash=True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "@_user_1",
        "rank",
        "看看排行",
        "排行榜",
        "/",
        "/ rank",
        "//rank",
        "/etc/passwd",
        "/2026",
        "看 /rank",
        "/rank " + "x" * LONGEST,
    ],
)
def test_anything_else_is_none(text):
    assert asked(text, ["@_user_1", ""], ALIASES) is None


@settings(max_examples=50, deadline=None)
@given(st.text(), st.lists(st.text(max_size=12), max_size=4))
def test_no_text_breaks_it(text, placeholders):
    found = asked(text, placeholders, ALIASES)
    assert found is None or (found.name.isascii() and not any(" " in one for one in found.arguments))


@pytest.mark.parametrize("aliases", [{"/排行": "rank"}, {"两 词": "rank"}, {"": "rank"}, {"排行": "/rank"}])
def test_an_alias_that_nobody_could_say_is_refused(aliases):
    with pytest.raises(ValidationError):
        CommandsConfig(aliases=aliases)
