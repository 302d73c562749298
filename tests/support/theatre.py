"""A crowd played by a sandbox in a process of its own, and the program in another: what long harnesses stand on.

Run as a program it is that sandbox: what to play comes as one line of JSON, the settings for a client go out as
another, and it stops when standard input closes.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).resolve().parents[2]
if __name__ == "__main__":
    sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from crowd import Crowd  # noqa: E402

from sandbox.calls import Calls  # noqa: E402
from sandbox.config import ClientConfig, SandboxConfig  # noqa: E402
from sandbox.faults.fault import parse  # noqa: E402
from sandbox.server import Sandbox  # noqa: E402

OPTIONAL = ({"field_name": "消息状态", "type": 3}, {"field_name": "编辑时间", "type": 5})
"""Columns of the archive that the predecessor's table does not have."""
CALLS = "calls.jsonl"
"""The file beside the program's data with every API call as ``[ms UTC, name, code]``, in the order of their ends."""
BUNDLED = ("activity", "archive", "pin", "health")
PATIENCE = 120.0
"""Seconds for anything that does not depend on how much there is to do."""


@dataclass(frozen=True, slots=True)
class Play:
    """What the sandbox does."""

    crowd: Crowd
    speed: float = 0.0
    """Times real time; 0 = as fast as it is acknowledged."""
    window: int = 64
    retry_factor: float = 0.005
    faults: Sequence[Mapping[str, Any]] = field(default=())
    """As ``POST /sandbox/faults`` takes them."""
    ping_interval: int = 120


class Theatre:
    """The sandbox, from outside."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        self._url = environment["FEISHU_BASE_URL"]

    def get(self, path: str) -> Any:
        """The answer below ``/sandbox``."""
        return fetch(f"{self._url}/sandbox/{path}")

    def post(self, path: str, body: Any) -> Any:
        """The same for what changes something."""
        return fetch(f"{self._url}/sandbox/{path}", json.dumps(body).encode())

    def stats(self) -> dict[str, Any]:
        """Connections, pushes, the scenario and API calls."""
        return dict(self.get("stats"))

    def records(self, setting: str) -> list[dict[str, Any]]:
        """What the Bitable table named by a setting holds."""
        return list(self.get(f"tables/{self.environment['BITABLE_APP_TOKEN']}/{self.environment[setting]}")["items"])

    def listed(self, path: str) -> Iterator[dict[str, Any]]:
        """Everything on a list that is told page by page: ``acknowledged``, ``faults/strikes``."""
        after: int | None = 0
        while after is not None:
            page = self.get(f"{path}?after={after}&limit=10000")
            yield from page["items"]
            after = page["next"]

    def over(self) -> bool:
        """Whether everything was played, and acknowledged or given up."""
        stats = self.stats()
        under_way = sum(stats["pushes"][name] for name in ("waiting", "in_flight", "scheduled", "held"))
        return bool(stats["scenario"]["done"]) and not under_way


class Program:
    """One ``core run``."""

    def __init__(self, process: subprocess.Popen[bytes], health: str, said: Path) -> None:
        self.process = process
        self._health = health
        self._said = said

    @property
    def pid(self) -> int:
        """Of its process."""
        return self.process.pid

    def status(self) -> dict[str, Any]:
        """What it says of itself; needs the plugin health."""
        return dict(fetch(f"{self._health}/status"))

    def check(self) -> None:
        """Raises ``AssertionError`` when it ended by itself."""
        if (code := self.process.poll()) is not None:
            raise AssertionError(f"the program ended by itself with exit code {code}:\n{self.said()[-2000:]}")

    def said(self) -> str:
        """Everything on standard error so far."""
        return self._said.read_text("utf-8", "replace")

    def kill(self) -> None:
        """``kill -9``."""
        with suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()

    def end(self) -> int:
        """Tell it to stop; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


@contextmanager
def theatre(play: Play, directory: Path) -> Iterator[Theatre]:
    """The sandbox, from the moment a client can connect."""
    said = directory / "sandbox.log"
    with said.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, cwd=directory
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(json.dumps({**asdict(play), "directory": str(directory)}).encode() + b"\n")
            process.stdin.flush()
            line = process.stdout.readline()
            if not line:
                raise AssertionError(f"the sandbox did not start:\n{said.read_text()}")
            yield Theatre(json.loads(line))
        finally:
            process.stdin.close()
            process.wait(PATIENCE)
            process.stdout.close()


@contextmanager
def program(
    directory: Path,
    theatre: Theatre,
    *,
    plugins: Sequence[str] = BUNDLED,
    settings: Mapping[str, str] | None = None,
    sections: str = "",
    path: Sequence[Path] = (),
) -> Iterator[Program]:
    """``core run`` in ``directory``; ``sections`` are added to its plugins.toml, packages are found in ``path``."""
    enabled = "".join(f"[plugins.{name}]\nenabled = true\n" for name in plugins)
    (directory / "plugins.toml").write_text(f"{enabled}{sections}", "utf-8")
    port = free_port()
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(map(str, (ROOT, *path))),
        **theatre.environment,
        "CHAT_ID": "",
        "RETRY_DELAY": "0.05",
        "API_MONTHLY_QUOTA": "100000000",
        "PIN_MONITOR_INTERVAL": "10",
        "HEALTH_CHECK_PORT": str(port),
        **(settings or {}),
    }
    said = directory / "program.log"
    with said.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "core", "run", "--plain"],
            cwd=directory, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log,
        )  # fmt: skip
    running = Program(process, f"http://127.0.0.1:{port}", said)
    try:
        yield running
    finally:
        running.kill()


def until(true: Callable[[], bool], what: str, *, seconds: float = PATIENCE, every: float = 0.05) -> None:
    """Returns when ``true`` holds. Raises ``AssertionError`` after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:.0f} s for {what}")
        time.sleep(every)


def free_port() -> int:
    """A port on 127.0.0.1 that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fetch(url: str, body: bytes | None = None) -> Any:
    """The JSON that ``url`` answers, as soon as somebody answers there."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, body), timeout=PATIENCE) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as answer:  # The health page tells the state by its code, too.
            if answer.headers.get_content_type() == "application/json":
                return json.load(answer)
            raise
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


class _TimedCalls(Calls):
    """Calls that are written down, too."""

    def __init__(self, now: Callable[[], int], file: IO[str]) -> None:
        super().__init__(now)
        self._file = file

    def count(self, name: str, code: int, *, ms: float = 0.0) -> None:
        """One call that has ended."""
        super().count(name, code, ms=ms)
        self._file.write(json.dumps([time.time_ns() // 1_000_000, name, code]) + "\n")


async def _serve(given: dict[str, Any]) -> None:
    crowd = Crowd(**given["crowd"])
    config = SandboxConfig(
        seed=crowd.seed,
        speed=given["speed"],
        window=given["window"],
        retry_factor=given["retry_factor"],
        # More often than the platform: who is killed again and again must not be given up by it.
        retry_schedule=(15.0, 300.0, *([3600.0] * 10)),
        client=ClientConfig(ping_interval=given["ping_interval"], reconnect_nonce=1),
        rate_limits=False,
        records_per_table=10_000_000,
        faults=tuple(map(parse, given["faults"])),
    )
    directory = Path(given["directory"])
    sandbox = Sandbox(config, scenario=crowd.scenario(directory))
    with (directory / CALLS).open("w", buffering=1) as file:
        sandbox.calls = _TimedCalls(sandbox.clock, file)
        await _stand(sandbox)


async def _stand(sandbox: Sandbox) -> None:
    async with sandbox:
        gc.freeze()
        gc.set_threshold(50_000, 20, 1000)
        archive = sandbox.bases.find(sandbox.tables.app_token).table(sandbox.tables.archive)
        for column in OPTIONAL:
            archive.add_field(dict(column))
        print(json.dumps(sandbox.environment()), flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(_serve(json.loads(sys.stdin.readline())))
