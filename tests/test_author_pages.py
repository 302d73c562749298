"""The examples on the pages that explain the parts are plugins that do what the page says."""

from __future__ import annotations

import re
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from core.errors import ApiError
from core.testing import Harness

DOCS = Path(__file__).resolve().parent.parent / "docs"
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
RUN_HERE = {"hooks": 0, "manifest": 1, "config": 1, "tables": 1, "context": 4, "isolation": 0}
"""How many examples each page has. Those of other pages run in ``test_docs``, ``test_card_program``, ``test_cookbook``,
``test_testing_page`` and ``test_tutorial_page``."""
CHAT = "GET /open-apis/im/v1/chats/:chat_id"


def examples(page: str) -> list[str]:
    """The Python of a page."""
    return PYTHON.findall((DOCS / f"{page}.md").read_text("utf-8"))


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a module of an example, by a word in it."""

    def found(page: str, word: str) -> types.ModuleType:
        (source,) = [one for one in examples(page) if word in one]
        module = types.ModuleType("example")
        monkeypatch.setitem(sys.modules, "example", module)
        exec(compile(source, f"docs/{page}.md", "exec"), vars(module))
        return module

    return found


def test_none_is_left_out() -> None:
    assert {page: len(examples(page)) for page in RUN_HERE} == RUN_HERE


async def test_a_call_of_an_api(example: Any, harness: type[Harness]) -> None:
    lark = await harness(
        example("context", '"namer"'), answers={CHAT: [{"name": "Ops"}, ApiError("GET chat", 99, "no")]}
    )
    await lark.say("ou_1", "hello")
    await lark.say("ou_1", "a refusal is borne")
    assert lark.state("name") == "Ops"


async def test_a_schedule(example: Any, harness: type[Harness]) -> None:
    lark = await harness(example("context", '"greeting"'), clock="2026-11-02 09:30", groups=["oc_1", "oc_2"])
    await lark.until("2026-11-02 11:30")
    assert [(sent.chat_id, sent.text) for sent in lark.sent] == [("oc_1", "大家好"), ("oc_2", "大家好")] * 3


async def test_an_event_for_others(example: Any, harness: type[Harness]) -> None:
    lark = await harness(example("context", '"birthday"'))
    said = await lark.say("ou_1", "生日快乐！")
    await lark.say("ou_1", "谢谢")
    assert [(one.type, one.event_id) for one in lark.published] == [("birthday.today", said)]


async def test_any_message_as_text(example: Any, harness: type[Harness]) -> None:
    lark = await harness(example("context", '"reader"'), files={"img_1": b"picture"})
    await lark.image("ou_1", "img_1")
    assert "img_1" not in lark.state("last")
    assert [one.file_key for one in lark.attached] == ["img_1"]
    assert lark.state("fetched")


async def test_another_plugins_table(example: Any, harness: type[Harness]) -> None:
    ranks = example("tables", '"ranks"')
    lark = await harness("activity", ranks)
    await lark.say("ou_1", "一二三四")
    assert (await lark.press("ou_2", "om_card", {}))["toast"]["content"] == "2.04"
    alone = await harness(ranks)
    assert (await alone.press("ou_2", "om_card", {}))["toast"] == {"type": "warning", "content": "没有统计"}


def test_a_configuration(example: Any) -> None:
    watching = example("config", "class Watching").Watching
    assert watching(interval=60, quiet=True).interval == 60
    with pytest.raises(ValueError, match="greater than or equal to 10"):
        watching(interval=5)


async def test_a_manifest(example: Any, harness: type[Harness]) -> None:
    calendars = example("manifest", '"calendars"')
    assert calendars.manifest.apis == ("GET /open-apis/calendar/v4/calendars/:calendar_id",)
    await harness(calendars)
