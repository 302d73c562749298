"""The whole program beside the sandbox: the card that grows, a press in between, ``kill -9``, the commands."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from sandbox.chat import Message
from sandbox.config import SandboxConfig
from sandbox.scenario.act import Mention
from sandbox.server import Sandbox


@pytest.fixture
def site(tmp_path: Path) -> list[str]:
    """Where packages are imported from; the assistant's entry point is among them also where it is not installed."""
    metadata = tmp_path / "site" / "larkflock_assistant-0.1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: larkflock-assistant\nVersion: 0.1.0\n")
    (metadata / "entry_points.txt").write_text("[larkflock.plugins]\nassistant = larkflock_assistant\n")
    found = [importlib.util.find_spec(name) for name in ("core", "larkflock_assistant")]
    return [str(metadata.parent), *(str(Path(str(one.origin)).parents[1]) for one in found if one is not None)]


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(SandboxConfig(scenario="quiet")) as one:
        yield one


class Operator:
    """Somebody at the machine where the program runs."""

    def __init__(self, directory: Path, sandbox: Sandbox, model: Any, site: list[str]) -> None:
        self._directory = directory
        config = f'[plugins.assistant.config]\nbase_url = "{model.url}"\n'
        (directory / "plugins.toml").write_text(f"[plugins.assistant]\nenabled = true\n{config}")
        self._environment = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": os.pathsep.join(site),
            "PYTHONIOENCODING": "utf-8",
            **sandbox.environment(),
            "CHAT_ID": "",
            "DATA_DIR": str(directory / "data"),
            "ASSISTANT_API_KEY": model.key,
        }

    async def types(self, *words: str) -> asyncio.subprocess.Process:
        """``python -m core …``."""
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "core", *words),
            cwd=self._directory,
            env=self._environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    async def reads(self, *words: str) -> str:
        """What a command prints."""
        printed, _ = await (await self.types(*words)).communicate()
        return printed.decode()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The program, which is killed in the end."""
        process = await self.types("run", "--plain")
        try:
            yield
        finally:
            process.kill()
            printed, _ = await process.communicate()
            self.logged = printed.decode()


def asked(sandbox: Sandbox, text: str) -> Message:
    """The first member mentions the bot."""
    world = sandbox.world
    chat = next(iter(world.chats.values()))
    bot = Mention("@_user_1", world.app.open_id, "机器人")
    return world.say(chat, next(iter(chat.members)), "text", json.dumps({"text": f"@_user_1 {text}"}), mentions=(bot,))


def cards(sandbox: Sandbox) -> list[Message]:
    return [message for message in sandbox.world.messages.values() if message.card]


def shown(sandbox: Sandbox) -> list[str]:
    """What each card in the group shows."""
    return [json.loads(message.card)["body"]["elements"][0]["content"] for message in cards(sandbox)]


async def test_a_card_grows_is_heard_in_between_survives_a_crash_and_can_be_read(tmp_path, sandbox, model, site, until):
    shown_half, never = asyncio.Event(), asyncio.Event()
    model.plan = [
        model.saying("天空是蓝的，", "因为", "散射。", before_last=shown_half),
        model.saying("我正想说", "…", before_last=never),
        model.saying("说完了。"),
    ]
    operator = Operator(tmp_path, sandbox, model, site)
    async with operator.running():
        question = asked(sandbox, "天空为什么是蓝的？")
        await until(lambda: shown(sandbox) == ["天空是蓝的，因为"])
        (card,) = cards(sandbox)
        assert card.parent == question.message_id
        assert json.loads(card.card)["config"]["streaming_mode"] is True
        again = {"tag": "button", "value": {"assistant": "again", "turn": question.message_id}}
        pressed = await sandbox.presses.use(card, question.sender, again)
        assert pressed["toast"]["content"] == "正在回答…"
        shown_half.set()
        await until(lambda: shown(sandbox) == ["天空是蓝的，因为散射。"])

        asked(sandbox, "还有呢？")
        await until(lambda: shown(sandbox)[1:] == ["我正想说"])
    never.set()
    async with operator.running():
        await until(lambda: shown(sandbox)[1:] == ["说完了。"])
    assert len(cards(sandbox)) == 2
    assert model.key not in operator.logged

    listed = await operator.reads("assistant", "conversations")
    assert "天空为什么是蓝的？" in listed
    assert "天空是蓝的，因为散射。" in await operator.reads("assistant", "show", question.message_id)
