"""What ``core`` promises to plugin authors: every name is there, and none costs anything before it is used."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import core


def _typed() -> set[str]:
    tree = ast.parse(Path(core.__file__).read_text(encoding="utf-8"))
    branches = [node for node in tree.body if isinstance(node, ast.If)]
    imports = [node for branch in branches for node in branch.body if isinstance(node, ast.ImportFrom)]
    return {alias.name for node in imports for alias in node.names}


def test_every_promised_name_can_be_imported():
    assert {name for name in core.__all__ if getattr(core, name, None) is None} == set()


def test_what_type_checkers_see_is_what_is_promised():
    assert _typed() == set(core.__all__)


def test_a_name_that_is_not_promised_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nonsense"):
        core.nonsense  # noqa: B018 — the access is what is tested


def test_help_imports_neither_the_settings_nor_a_plugin():
    seen = "import sys; from core.cli import main; main(['--help'], standalone_mode=False); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", seen], capture_output=True, text=True, check=True, timeout=60)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "click" in loaded
    assert not loaded & {"pydantic", "asyncio", "aiohttp", "lark_oapi", "core.settings", "plugins.archive"}


@pytest.mark.parametrize("plugin", ["activity", "archive", "health", "pin"])
def test_a_manifest_is_read_without_the_network_and_the_words(plugin):
    seen = f"import sys, plugins.{plugin}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", seen], capture_output=True, text=True, check=True, timeout=60)
    assert not set(done.stdout.split()) & {
        "aiohttp",
        "lark_oapi",
        "rich",
        "jinja2",
        "rjieba",
        "core.app",
        "core.rendering.message",
    }
