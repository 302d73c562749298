"""Every recipe of the cookbook is a plugin that works, as its own test on the page says, in both languages."""

from __future__ import annotations

import inspect
import re
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from core.testing import Harness

DOCS = Path(__file__).resolve().parent.parent / "docs"
RECIPE = re.compile(r"^## \d+\. (.+?)\n.*?^```python\n(.*?)^```\n\n^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def recipes(page: str) -> list[tuple[str, str, str]]:
    """Title, plugin and test of each."""
    return RECIPE.findall((DOCS / page).read_text("utf-8"))


ENGLISH = recipes("cookbook.md")


def test_there_are_ten() -> None:
    assert len(ENGLISH) == 10


def test_both_languages_have_the_same_code() -> None:
    chinese = [(plugin, test) for _, plugin, test in recipes("cookbook.zh-CN.md")]
    assert chinese == [(plugin, test) for _, plugin, test in ENGLISH]


@pytest.mark.parametrize(
    ("plugin", "test"), [(plugin, test) for _, plugin, test in ENGLISH], ids=[one[0] for one in ENGLISH]
)
async def test_the_recipe_works(
    plugin: str, test: str, harness: type[Harness], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = types.ModuleType("recipe")
    monkeypatch.setitem(sys.modules, "recipe", module)  # It can be imported, as an installed one can.
    exec(compile(plugin, "docs/cookbook.md", "exec"), vars(module))  # It is our own page.
    space: dict[str, Any] = {"plugin": module}
    exec(compile(test, "docs/cookbook.md", "exec"), space)
    tests = [one for name, one in space.items() if name.startswith("test_") and inspect.iscoroutinefunction(one)]
    assert len(tests) == 1
    await tests[0](harness)
