"""``python -m core run`` as a process of its own beside a sandbox, measured from outside."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
TRIES = 50


class Measured(NamedTuple):
    """The program under measurement."""

    process: subprocess.Popen[bytes]
    health: str
    """Where ``/status`` is."""


@contextmanager
def measured_program(work: Path, plugins: str, sandbox: dict[str, str]) -> Iterator[Measured]:
    """Started in ``work`` with ``plugins`` as its ``plugins.toml``; killed at the end, should it still run."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    (work / "plugins.toml").write_text(plugins)
    process = subprocess.Popen(
        [sys.executable, "-m", "core", "run", "--plain"],
        cwd=work,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={
            **{name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")},
            **sandbox,
            "CHAT_ID": "",
            "PYTHONPATH": str(ROOT),
            "API_MONTHLY_QUOTA": "1000000",
            "HEALTH_CHECK_PORT": str(port),
        },
    )
    try:
        yield Measured(process, f"http://127.0.0.1:{port}")
    finally:
        process.kill()
        process.wait()


def peak_memory(pid: int) -> float:
    """The most a process has had in memory, MB (2²⁰ bytes)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


def head(file: Path, count: int, to: Path) -> Path:
    """The first ``count`` lines of a file, which may be compressed, as a file of their own."""
    read = gzip.open if file.suffix == ".gz" else open
    with read(file, "rt", encoding="utf-8") as source, to.open("w", encoding="utf-8") as target:
        target.writelines(itertools.islice(source, count))
    return to


def answer(url: str, timeout: float = 600.0) -> dict[str, Any]:
    """The JSON there; asked again for 10 s while nobody listens yet."""
    for attempt in range(TRIES):
        try:
            with urllib.request.urlopen(url, timeout=timeout) as response:
                return dict(json.load(response))
        except urllib.error.HTTPError:
            raise
        except OSError:
            if attempt == TRIES - 1:
                raise
            time.sleep(0.2)
    raise AssertionError
