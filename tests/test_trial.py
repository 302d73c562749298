"""The sandbox as a child process: ready when started, gone when stopped, and started from nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientError, ClientSession
from programs import ROOT, SECONDS

from core.trial import SandboxFailed, SandboxProcess, empty


def children(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


async def test_it_is_ready_when_started_and_gone_when_stopped() -> None:
    sandbox = await SandboxProcess.start(["--scenario", "quiet"])
    url = sandbox.environment["FEISHU_BASE_URL"]
    assert url.startswith("http://127.0.0.1:")
    stats = await sandbox.stats()
    assert stats["scenario"]["name"] == "quiet"
    assert not sandbox.over(stats)
    began = time.monotonic()
    await sandbox.stop()
    assert time.monotonic() - began < 5
    assert await sandbox.stats() == {}
    async with ClientSession() as session:
        with pytest.raises(ClientError):
            await session.get(f"{url}/sandbox/stats")


async def test_a_sandbox_that_cannot_start_is_said(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SandboxFailed, match="see the lines above"):
        await SandboxProcess.start(["--scenario", "no-such-file.jsonl"])
    assert "no-such-file.jsonl" in capfd.readouterr().err


async def test_a_program_whose_sandbox_ends_says_so_and_ends_too(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "core", "run", "--sandbox", "--plain"),
        *("--scenario", "quiet"),
        cwd=tmp_path,
        stderr=asyncio.subprocess.PIPE,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "HEALTH_CHECK_PORT": "0",
            "PLUGINS_FILE": str(ROOT / "plugins.toml"),
        },
    )
    assert process.stderr is not None
    said = ""
    async with asyncio.timeout(SECONDS):
        while "Connected to the long connection" not in said:
            said += (await process.stderr.readline()).decode()
        (sandbox,) = children(process.pid)
        os.kill(sandbox, signal.SIGKILL)
        said += (await process.stderr.read()).decode()
        assert await process.wait() == 1
    assert "the sandbox ended by itself (exit code -9)" in said


@pytest.mark.parametrize(
    ("done", "waiting", "in_flight", "scheduled", "over"),
    [
        (True, 0, 0, 0, True),
        (False, 0, 0, 0, False),
        (True, 1, 0, 0, False),
        (True, 0, 1, 0, False),
        (True, 0, 0, 1, False),
    ],
)
def test_it_is_over_when_everything_was_played_and_acknowledged(
    done: bool, waiting: int, in_flight: int, scheduled: int, over: bool
) -> None:
    pushes = {"waiting": waiting, "in_flight": in_flight, "scheduled": scheduled}
    stats: dict[str, Any] = {"scenario": {"done": done}, "pushes": pushes}
    assert SandboxProcess.over(stats) is over
    assert not SandboxProcess.over({})


def test_a_trial_starts_from_nothing_but_keeps_its_lock(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_text("old")
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "x").write_text("old")
    (tmp_path / "larkflock.lock").touch()
    empty(tmp_path, keep="larkflock.lock")
    assert [entry.name for entry in tmp_path.iterdir()] == ["larkflock.lock"]
