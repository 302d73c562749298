"""The page about testing: its examples run as they stand there, and it names all there is."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from core import testing
from core.testing import Harness

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "docs" / name for name in ("testing.md", "testing.zh-CN.md")]
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def examples(page: Path) -> list[str]:
    """The Python of a page."""
    return PYTHON.findall(page.read_text("utf-8"))


def test_the_examples_run_as_they_stand(tmp_path: Path) -> None:
    (tmp_path / "larkflock_links.py").write_text(examples(ROOT / "docs/plugins.md")[0], "utf-8")
    (first, *others) = examples(PAGES[0])
    beginning = first.split("async def")[0]
    for number, example in enumerate((first, *others)):
        text = example if "import larkflock_links" in example else f"{beginning}\n{example}"
        (tmp_path / f"test_{number}.py").write_text(text, "utf-8")
    plugin = ("-p", "core.testing.pytest_plugin")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugin, str(tmp_path)],
        cwd=tmp_path,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join((str(ROOT), str(tmp_path))),
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(others) + 1} passed" in done.stdout


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_name_of_the_harness_is_mentioned(page: Path) -> None:
    text = page.read_text("utf-8")
    options = [
        f"`{name}`" for name in inspect.signature(Harness.__init__).parameters if name not in ("self", "plugins")
    ]
    named = [name for name in dir(Harness) if not name.startswith("_") and name not in ("start", "close", "settle")]
    assert [one for one in options if one not in text] == []
    assert [one for one in (*named, *testing.__all__) if not re.search(rf"\b{one}\b", text)] == []


def test_both_pages_have_the_same_examples_and_headings() -> None:
    assert examples(PAGES[0]) == examples(PAGES[1])
    levels = [re.findall(r"^(#+) ", PYTHON.sub("", page.read_text("utf-8")), re.MULTILINE) for page in PAGES]
    assert levels[0] == levels[1]
