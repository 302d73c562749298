"""Reading conversations on the command line."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner, Result
from larkflock_assistant.commands import assistant
from larkflock_assistant.tables import CONVERSATIONS, TURNS

AT = 1_795_309_200_000  # 2026-11-22 09:00 in Shanghai.


class Stored:
    """Two conversations, as a command is handed them."""

    timezone = ZoneInfo("Asia/Shanghai")

    def __init__(self):
        first = {"conversation_id": "om_1", "title": "天空\x1b[2J", "starter": "ou_li", "turns": 2, "tokens": 90.0}
        second = {"conversation_id": "oc_2", "title": "（私聊）", "starter": "ou_x", "turns": 1, "tokens": 5.0}
        self.conversations = [
            CONVERSATIONS.blank | first | {"last": AT},
            CONVERSATIONS.blank | second | {"last": AT + 60_000},
        ]
        turn = {"conversation_id": "om_1", "asker": "ou_li", "state": "done"}
        self.turns = [
            TURNS.blank | turn | {"message_id": "om_3", "asked": AT + 2_000, "state": "gone"},
            TURNS.blank
            | turn
            | {"message_id": "om_1", "asked": AT, "question": "为什么蓝？", "answer": "一\n\x1b[31m二"},
            TURNS.blank | turn | {"message_id": "om_2", "asked": AT + 1_000, "question": "真的？", "state": "asked"},
        ]

    def rows(self, table):
        return iter(self.conversations)

    def get(self, table, *key):
        return next((row for row in self.conversations if row["conversation_id"] == key[0]), None)

    def find(self, table, **equals):
        return [row for row in self.turns if row["conversation_id"] == equals["conversation_id"]]

    def names(self):
        return {"ou_li": "李雷"}


@pytest.fixture
def stored() -> Stored:
    return Stored()


def run(stored: Stored, *words: str) -> Result:
    return CliRunner().invoke(assistant, words, obj=stored)


def test_conversations_are_listed_the_latest_first(stored):
    lines = run(stored, "conversations").output.splitlines()
    assert lines == [
        "2026-11-22 09:01  oc_2  ou_x · 1 turns · 5 tokens （私聊）",
        "2026-11-22 09:00  om_1  李雷 · 2 turns · 90 tokens 天空 [2J",
    ]


def test_what_is_left_out_of_a_list_is_said(stored):
    assert run(stored, "conversations", "--limit", "1").output.splitlines()[1] == "1 more: --limit 2"
    stored.conversations.clear()
    assert run(stored, "conversations").output == "There is no conversation yet.\n"


def test_a_conversation_is_read_in_order_and_cannot_move_the_cursor(stored):
    lines = [line for line in run(stored, "show", "om_1").output.splitlines() if line]
    assert lines == [
        "2026-11-22 09:00  李雷",
        "为什么蓝？",
        "assistant",
        "一",
        " [31m二",
        "2026-11-22 09:00  李雷",
        "真的？",
        "assistant",
        "(asked)",
        "2026-11-22 09:00  李雷",
        "(taken back)",
        "assistant",
        "(gone)",
    ]


def test_a_conversation_that_is_not_there_is_an_error_that_says_what_to_do(stored):
    result = run(stored, "show", "om_none")
    assert result.exit_code == 1
    assert "python -m core assistant conversations" in result.output
