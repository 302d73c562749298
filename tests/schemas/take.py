"""Takes down what a release stores, for the releases after it: ``python tests/schemas/take.py`` in its checkout.

A sandbox and the program are started, a small group talks, and both databases are written as SQL to
``tests/schemas/<version>/``. ``tests/test_released_schemas.py`` upgrades from there. See docs/releasing.md.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from aiohttp import ClientSession

ROOT = Path(__file__).parents[2]
PLUGINS = "\n".join(f"[plugins.{name}]\nenabled = true\n" for name in ("activity", "archive", "pin", "health"))
TABLES = ("BITABLE_TABLE_ID", "ARCHIVE_TABLE_ID", "SUMMARY_TABLE_ID", "PIN_TABLE_ID")
PATIENCE = 90.0
"""Seconds the program has to write a row to each table."""


async def take(directory: Path) -> None:
    """Let the program live for a moment in ``directory``."""
    sandbox = await _start(directory, "sandbox", "--json", "--stdin-eof", "--scenario", "quiet")
    assert sandbox.stdin is not None
    assert sandbox.stdout is not None
    environment = json.loads(await sandbox.stdout.readline())
    (directory / "plugins.toml").write_text(PLUGINS)
    settings = {"API_MONTHLY_QUOTA": "1000000", "PIN_MONITOR_INTERVAL": "10", "HEALTH_CHECK_PORT": "18080"}
    program = await _start(directory, "core", "run", "--plain", **environment, **settings)
    try:
        async with ClientSession(environment["FEISHU_BASE_URL"]) as session:
            await _until(session, "stats", lambda stats: stats["connections"])
            async with session.post("/sandbox/acts", json=_acts(environment["CHAT_ID"])) as answer:
                assert answer.status == 200, await answer.text()
            base = environment["BITABLE_APP_TOKEN"]
            for name in TABLES:
                await _until(session, f"tables/{base}/{environment[name]}", lambda found: found["items"])
        program.send_signal(signal.SIGTERM)
        await program.wait()
    finally:
        if program.returncode is None:
            program.kill()
        sandbox.stdin.close()
        await sandbox.wait()


def _acts(chat: str) -> list[dict[str, Any]]:
    """Messages, an answer, a mention, a file, reactions, a recall, a pin."""
    from sandbox import quiet

    one, two, three = quiet.load(seed=1).people[:3]

    def act(kind: str, message: str, **more: Any) -> dict[str, Any]:
        return {"kind": kind, "chat": chat, "message": message, **more}

    def say(message: str, sender: str, text: str, **more: Any) -> dict[str, Any]:
        return act("say", message, type="text", content={"text": text}, sender=sender, **more)

    mention = {"key": "@_user_1", "open_id": three.open_id, "name": three.name}
    file = {"key": "file_v3_1", "name": "plan.txt", "kind": "file", "size": 20, "seed": 1}
    content = {"file_key": file["key"], "file_name": file["name"]}
    return [
        say("om_1", one.open_id, "你好世界"),
        say("om_2", two.open_id, "灰度发布定在周三 @_user_1", parent="om_1", root="om_1", mentions=[mention]),
        act("say", "om_3", type="file", content=content, sender=three.open_id, resources=[file]),
        say("om_4", one.open_id, "taken back"),
        act("react", "om_1", person=two.open_id, emoji="OK"),
        act("react", "om_2", person=one.open_id, emoji="OK"),
        act("unreact", "om_2", person=one.open_id, emoji="OK"),
        act("recall", "om_4", by=one.open_id),
        act("pin", "om_2", by=one.open_id),
    ]


async def _start(directory: Path, module: str, *options: str, **settings: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-P", "-m", module, *options),
        cwd=directory,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **settings},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE if module == "sandbox" else asyncio.subprocess.DEVNULL,
    )


async def _get(session: ClientSession, path: str) -> Any:
    async with session.get(f"/sandbox/{path}") as answer:
        return await answer.json()


async def _until(session: ClientSession, path: str, true: Callable[[Any], Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not true(await _get(session, path)):
        if time.monotonic() > deadline:
            raise SystemExit(f"nothing came to {path}")
        await asyncio.sleep(0.1)


def dump(database: Path, to: Path) -> None:
    """Write a database as SQL; what a full-text index holds stands in the tables behind it."""
    with closing(sqlite3.connect(database)) as connection:
        found = connection.execute("SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL TABLE%'")
        indexes = tuple(f'INSERT INTO "{name}" ' for (name,) in found)
        to.write_text("".join(f"{line}\n" for line in connection.iterdump() if not line.startswith(indexes)), "utf-8")


def main() -> None:
    """Take down the version of this checkout."""
    sys.path.insert(0, str(ROOT))
    from core import __version__

    place = Path(__file__).parent / __version__
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        asyncio.run(take(directory))
        place.mkdir(exist_ok=True)
        for name in ("journal", "store"):
            dump(directory / "data" / f"{name}.db", place / f"{name}.sql")
    print(f"{place}: {', '.join(sorted(file.name for file in place.iterdir()))}")


if __name__ == "__main__":
    main()
