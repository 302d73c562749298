"""The tutorial's page: its edits fit what ``core new`` writes, and its tests end as it says, step by step.

``benchmarks/tutorial.py`` does all of it, from ``pip install`` in an empty environment to the sandbox's page.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from tutorial import apply, missing, steps

from core.cli import main

ROOT = Path(__file__).parents[1]
PAGES = ("tutorial.md", "tutorial.zh-CN.md")
KINDS = {"sh", "text", "file", "diff", "excerpt", "say", "stop"}


def said_by_pytest(package: Path) -> str:
    """What pytest says of a package."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "core.testing.pytest_plugin", "-p", "no:asyncio", str(package)],
        cwd=package,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(package)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    return done.stdout + done.stderr


def test_its_edits_fit_and_its_tests_end_as_it_says(tmp_path: Path) -> None:
    made = CliRunner().invoke(main, ["new", "word-count", "--into", str(tmp_path)])
    assert made.exit_code == 0, made.output
    said, changed = "", False
    for step in steps("tutorial.md"):
        if step.kind in ("file", "diff", "excerpt") and step.file.startswith("word-count/"):
            apply(step, tmp_path)
            changed = True
        elif step.kind == "sh":
            pytest_runs = "pytest" in step.text
            assert changed or not pytest_runs
            said = said_by_pytest(tmp_path / "word-count") if pytest_runs else ""
        elif step.kind == "text" and said:
            assert missing(step.text, said) == "", said
            said = ""


@pytest.mark.parametrize("page", PAGES)
def test_every_step_is_one_that_can_be_done(page: str) -> None:
    found = steps(page)
    assert {step.kind for step in found} == KINDS
    runs = [step for step in found if " core run " in step.text]
    assert len(runs) == len([step for step in found if step.kind == "stop"])


def test_both_languages_have_the_same_steps() -> None:
    first, second = ([(step.kind, step.text, step.file) for step in steps(page)] for page in PAGES)
    assert first == second


@pytest.mark.parametrize(
    ("expected", "seen", "lacks"),
    [
        ("│ 李雷 │ … │ 2 │", "│ 李雷     │ 2026-11  │    2 │", ""),
        ("│ 李雷 │ … │ 4 │", "│ 李雷     │ 2026-11  │    2 │", "│ 李雷 │ … │ 4 │"),
        ("a\nc", "a\nb", "c"),
    ],
)
def test_what_is_seen_is_compared_line_by_line(expected: str, seen: str, lacks: str) -> None:
    assert missing(expected, seen) == lacks
