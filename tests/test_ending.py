"""How the process ends: tidily when it is told to, and also where a plugin left a thread that never does."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
from plugin_package import install
from programs import PLUGINS, ROOT, SECONDS, core_program, sandbox_program

WAITING = """
import sys, time
from core.ending import ending_cleanly

with ending_cleanly():
    try:
        print("begun", flush=True)
        time.sleep(60)
    finally:
        print("taken away")
"""
LEAVING = """
import sys, threading
from core.ending import ending_cleanly

with ending_cleanly():
    threading.Thread(target=threading.Event().wait, name="forgotten", daemon={daemon}).start()
    print("done")
    sys.exit({code})
"""

STUCK = """
import asyncio, threading
from core import Manifest, hookimpl

manifest = Manifest(name="stuck", summary="Asks somebody who never answers.")


@hookimpl
async def startup() -> None:
    asyncio.get_running_loop().run_in_executor(None, threading.Event().wait)
"""


async def started(script: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", script),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def ended(process: asyncio.subprocess.Process) -> tuple[int | None, str, str]:
    said, errors = await asyncio.wait_for(process.communicate(), SECONDS)
    return process.returncode, said.decode(), errors.decode()


async def test_what_is_half_done_is_taken_away_when_the_process_is_told_to_end() -> None:
    process = await started(WAITING)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"begun\n"
    process.send_signal(signal.SIGTERM)
    assert await ended(process) == (-signal.SIGTERM, "taken away\n", "")


@pytest.mark.parametrize("code", [0, 3])
async def test_a_thread_that_never_ends_does_not_keep_the_process(code: int) -> None:
    found = await ended(await started(LEAVING.format(daemon=False, code=code)))
    assert found == (code, "done\n", "Left behind, as they do not end: threads forgotten\n")


async def test_a_thread_that_keeps_nobody_is_not_mentioned() -> None:
    assert await ended(await started(LEAVING.format(daemon=True, code=1))) == (1, "done\n", "")


async def test_a_plugin_that_waits_for_ever_in_a_thread_does_not_keep_the_program(tmp_path: Path) -> None:
    site = tmp_path / "site"
    site.mkdir()
    install(site, "stuck", STUCK)
    plugins = f"{PLUGINS}[plugins.stuck]\nenabled = true\n"
    path = os.pathsep.join([str(ROOT), str(site)])
    async with (
        sandbox_program("--scenario", "quiet") as sandbox,
        core_program(tmp_path, sandbox, plugins=plugins, PYTHONPATH=path) as core,
    ):
        await sandbox.until(lambda stats: stats["connections"] == 1)
        code, said = await core.end(signal.SIGTERM)
    assert code == 0, said
    assert "Left behind, as they do not end: threads " in said
