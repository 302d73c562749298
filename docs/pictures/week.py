"""The first week of the bundled scenario with all plugins on, for pictures of what people get to see.

The sandbox and the program share one clock that runs ``SPEED`` times as fast as the machine's, so that the digest and
the looks at pins come when they would.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import orjson
from browser import photograph
from chat import photograph_chat
from loguru import logger

from core.app import Application
from core.loading.plugins import load
from core.settings import load_plugins_file, load_settings
from sandbox.config import ClientConfig, SandboxConfig
from sandbox.scenario import catalogue
from sandbox.scenario.act import Scenario
from sandbox.server import Sandbox

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PLUGINS = ROOT / "plugins.toml"
SPEED = 10_000.0
DAYS = 6.2
"""To the Monday morning after the first week."""
LATER = 2 * 3_600_000
"""ms after the last act until everything that follows from it is there."""
DIGEST = {"digest": "weekly", "topic_min_replies": 5}
"""Few topics: a picture has little room."""


def photograph_week(work: Path) -> None:
    """Play the week in ``work``, and take the pictures of the chat, the cards and the exported page."""
    logger.remove()
    logger.add(sys.stderr, level="ERROR")
    chat_id = asyncio.run(_play(work))
    export = work / "export"
    command = [sys.executable, "-m", "core", "archive", "export", "--format", "html", "--to", str(export)]
    surroundings = {"DATA_DIR": str(work / "data"), "PLUGINS_FILE": str(PLUGINS), "PYTHONPATH": str(ROOT)}
    subprocess.run(command, check=True, cwd=work, env=surroundings, capture_output=True)  # noqa: S603
    page = next((export / chat_id).glob("*.html")).as_uri()
    photograph(page, HERE / "archive-page.png", 900, 1500)
    photograph(page, HERE / "archive-page-dark.png", 500, 1180, dark=True)


async def _play(work: Path) -> str:
    """The chat_id of the larger group."""
    whole = catalogue.load("bundled", seed=1)
    end = next(iter(whole.acts())).at + DAYS * 86_400_000
    acts = [act for act in whole.acts() if act.at < end]
    scenario = Scenario(whole.name, whole.people, whole.chats, lambda: iter(acts), len(acts))
    config = SandboxConfig(speed=SPEED, client=ClientConfig(ping_interval=5), start="told", window=4096)
    async with Sandbox(config, scenario=scenario) as sandbox:
        env = {**sandbox.environment(), "CHAT_ID": "", "DATA_DIR": str(work / "data"), "HEALTH_CHECK_PORT": "0"}
        sections = load_plugins_file(PLUGINS)
        sections["archive"] = sections["archive"].model_copy(update={"config": DIGEST})
        settings = load_settings(env, needs_credentials=True)
        application = Application(settings, load(sections, env, PLUGINS), clock=sandbox.clock, tick=0.002)
        running = asyncio.create_task(application.run())
        sandbox.play()
        await sandbox.played()
        sandbox.clock.move(sandbox.clock(), speed=SPEED)
        until = sandbox.clock() + LATER
        while sandbox.clock() < until or not application.idle:  # noqa: ASYNC110 — nothing tells when a clock is there
            await asyncio.sleep(0.01)
        sandbox.clock.move(sandbox.clock(), speed=1)
        await photograph_chat(sandbox.url)
        application.stop()
        print(await running)
        chat_id = sandbox.environment()["CHAT_ID"]
        for name, (message_id, height) in _chosen(sandbox, chat_id).items():
            url = f"{sandbox.url}/sandbox/cards/{message_id}"
            await asyncio.to_thread(photograph, url, HERE / name, 640, height)
    return chat_id


def _chosen(sandbox: Sandbox, chat_id: str) -> dict[str, tuple[str, int]]:
    """The last announcement of one pin before the first digest, and that digest; with the heights of their pictures."""
    pin = ""
    for message in sandbox.world.messages.values():
        if not message.card or message.chat.chat_id != chat_id:
            continue
        if "Pin" in orjson.loads(message.card)["header"]["title"]["content"]:
            pin = message.message_id
        else:
            return {"card-pin.png": (pin, 336), "card-digest.png": (message.message_id, 776)}
    raise SystemExit("there was no digest")
