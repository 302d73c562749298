"""A harness that cannot start leaves nothing behind: no guard, no thread, no directory, no process."""

from __future__ import annotations

import asyncio
import sys
import tempfile
import threading
from collections.abc import Coroutine
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from core import Manifest
from core.testing import Harness
from core.testing.network import GUARD
from core.testing.sandboxed import Sandboxed
from core.trial import SandboxFailed


@pytest.fixture
def module() -> ModuleType:
    """A plugin that does nothing."""
    made = ModuleType("quiet_probe")
    made.manifest = Manifest(name="quiet_probe", summary="Tests.")  # type: ignore[attr-defined]
    sys.modules[made.__name__] = made
    return made


async def test_a_sandbox_that_does_not_start_leaves_nothing_behind(
    module: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sandbox").mkdir()  # An author's own folder, which hides the sandbox.
    (tmp_path / "sandbox" / "__main__.py").write_text("raise SystemExit(3)\n", "utf-8")
    (tmp_path / "sandbox" / "__init__.py").write_text("", "utf-8")
    (tmp_path / "temporary").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    guards = len(GUARD.listeners)
    lark = Harness(module, sandbox=True)
    with pytest.raises(SandboxFailed):
        async with lark:
            pytest.fail("there is no sandbox")
    assert len(GUARD.listeners) == guards
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith(("harness:", "plugin:"))] == []
    assert list((tmp_path / "temporary").iterdir()) == []
    lark.close()  # As the fixture does; there is nothing left to close.


async def test_a_program_that_broke_down_leaves_nothing_behind(module: ModuleType) -> None:
    guards = len(GUARD.listeners)
    lark = await Harness(module, sandbox=True)
    program = lark._running
    assert isinstance(program, Sandboxed)

    async def broken() -> None:
        raise AssertionError("a part broke down")

    program._do(replaced(program, broken()))
    with pytest.raises(AssertionError, match="a part broke down"):
        lark.close()
    assert len(GUARD.listeners) == guards
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith(("harness:", "plugin:"))] == []


async def replaced(program: Sandboxed, broken: Coroutine[Any, Any, None]) -> None:
    """The program ends, and what waits for it meets ``broken`` instead."""
    program._application.stop()
    await program._running
    program._running = asyncio.create_task(broken)  # type: ignore[assignment]
