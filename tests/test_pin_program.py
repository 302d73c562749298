"""The whole program with the pin and activity plugins against a sandbox: from the group's pins to rows and cards."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson

from core.app import Application, milliseconds
from core.loading.plugins import load
from core.settings import PluginSettings, load_settings
from core.storage import open_engine
from plugins.pin.tables import PIN
from sandbox.chat import Chat, Message
from sandbox.config import SandboxConfig
from sandbox.scenario.act import Resource, Say
from sandbox.server import Sandbox

ENABLED = {name: PluginSettings(enabled=True) for name in ("activity", "pin")}
DEADLINE = 30.0


class Program:
    """The program while it runs, and its clock."""

    def __init__(self, sandbox: Sandbox, directory: Path, **more: str) -> None:
        env = {
            **sandbox.environment(),
            "RETRY_DELAY": "0.02",
            "API_MONTHLY_QUOTA": "1000000",
            "PIN_MONITOR_INTERVAL": "10",
            "CHAT_ID": "",
            "DATA_DIR": str(directory),
            **more,
        }
        self.ahead = 0
        plugins = load(ENABLED, env, Path("plugins.toml"))
        self._store = open_engine(directory).store()
        self._store.prepare("pin", (PIN,))
        settings = load_settings(env, needs_credentials=True)
        self.application = Application(settings, plugins, clock=lambda: milliseconds() + self.ahead, tick=0.02)
        self.ended = asyncio.create_task(self.application.run())

    def close(self) -> None:
        self._store.close()

    def rows(self) -> dict[str, dict[str, Any]]:
        """What is stored locally, by message."""
        return {row["message_id"]: row for row in self._store.scan("pin", PIN)}

    async def until(self, true: Callable[[], object]) -> None:
        """Let time pass quickly until the condition holds and there is nothing left to do."""
        deadline = time.monotonic() + DEADLINE
        while not (true() and self.application.idle):
            assert time.monotonic() < deadline, "waited too long"
            self.ahead += 1_000
            for consumer in self.application.consumers:
                consumer.wake()
            await asyncio.sleep(0.01)


@asynccontextmanager
async def running(sandbox: Sandbox, directory: Path, **more: str) -> AsyncIterator[Program]:
    program = Program(sandbox, directory, **more)
    await asyncio.sleep(0)  # Its first step makes its tables.
    try:
        yield program
    finally:
        program.application.stop()
        await asyncio.wait([program.ended])
        program.close()
        assert str(program.ended.result()) == "Nothing is left to do."


def chat_of(sandbox: Sandbox) -> Chat:
    return next(iter(sandbox.world.chats.values()))


def say(sandbox: Sandbox, text: str, sender: int = 0) -> Message:
    chat = chat_of(sandbox)
    return sandbox.world.say(chat, list(chat.members)[sender], "text", orjson.dumps({"text": text}).decode())


def picture(sandbox: Sandbox) -> Message:
    """Somebody shows a picture."""
    chat = chat_of(sandbox)
    resource = Resource("img_v3_0000_pin", "screen.png", "image", 5_000, 7)
    content = {"image_key": resource.key}
    now, sender = sandbox.world.now(), next(iter(chat.members))
    sandbox.world.play(Say(now, chat.chat_id, "om_picture", sender, "image", content, resources=(resource,)))
    return sandbox.world.message("om_picture")


def pin(sandbox: Sandbox, message: Message, by: int = 1, *, at: int | None = None) -> None:
    sandbox.world.pin(message, list(message.chat.members)[by], at=at)


def cards(sandbox: Sandbox) -> list[str]:
    """The cards the group got, as their readers see them."""
    chat = chat_of(sandbox)
    every = chat.timeline.slice(0, len(chat.timeline))
    return [message.content for message in every if message.type == "interactive"]


def shown(sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    """The rows of the pin table in Bitable, by message; fails when one is there twice."""
    items = sandbox._records(sandbox.tables.app_token, sandbox.tables.pin)["items"]
    table = {text(item["fields"]["Pin消息ID"]): item["fields"] for item in items}
    assert len(table) == len(items)
    return table


def pinned_counts(sandbox: Sandbox) -> dict[str, int]:
    """被Pin次数 by person, where it is not 0."""
    items = sandbox._records(sandbox.tables.app_token, sandbox.tables.activity)["items"]
    counts = {text(item["fields"]["用户ID"]): int(item["fields"].get("被Pin次数", 0)) for item in items}
    return {person: count for person, count in counts.items() if count}


def text(cell: Any) -> str:
    return cell if isinstance(cell, str) else "".join(part["text"] for part in cell or ())


async def test_pins_of_a_long_life_are_in_bitable_in_cards_and_in_the_activity_table(tmp_path: Path) -> None:
    async with Sandbox(SandboxConfig(scenario="quiet", rate_limits=False)) as sandbox:
        pins = chat_of(sandbox).pins
        messages = [say(sandbox, f"第 {number} 件事", number % 3) for number in range(70)]
        now = sandbox.world.now()
        for number, message in enumerate(messages[:60]):
            pin(sandbox, message, at=now - 60_000 + number)

        def agrees() -> bool:
            names = {person.open_id: person.name for person in sandbox.world.people.everybody()}
            table = shown(sandbox)
            assert table.keys() == pins.keys()
            for message_id, row in table.items():
                message = sandbox.world.message(message_id)
                assert text(row["发送者ID"]) == message.sender
                assert text(row["发送者姓名"]) == names[message.sender]
                assert text(row["Pin操作人姓名"]) == names[pins[message_id].operator]
                assert row["消息链接"]["link"].endswith(f"messageId={message_id}")
                if message.type == "text":
                    assert text(row["消息内容"]) == orjson.loads(message.content)["text"]
            expected = Counter(sandbox.world.message(message_id).sender for message_id in pins)
            assert pinned_counts(sandbox) == expected
            return True

        def found(program: Program) -> Callable[[], bool]:
            return lambda: (
                (rows := program.rows()).keys() == pins.keys()
                and all(row["content"] and row["operator_id"] == pins[one].operator for one, row in rows.items())
            )

        async with running(sandbox, tmp_path) as program:
            await program.until(found(program))
        assert agrees()
        assert cards(sandbox) == []

        # What happens while the program is off: unpinned on the first page and below it, pinned again, pinned anew.
        for number in (2, 55):
            sandbox.world.unpin(messages[number])
        sandbox.world.unpin(messages[4])
        pin(sandbox, messages[4], 2)
        pin(sandbox, messages[61])
        async with running(sandbox, tmp_path) as program:
            await program.until(lambda: found(program)() and cards(sandbox))
        assert agrees()
        (card,) = cards(sandbox)
        assert "2 条新的 Pin 消息" in card
        assert "第 61 件事" in card
        assert "第 4 件事" in card

        async with running(sandbox, tmp_path) as program:
            await program.until(found(program))
            pin(sandbox, picture(sandbox))
            await program.until(lambda: found(program)() and len(cards(sandbox)) == 2)
            await program.until(lambda: program.rows()["om_picture"]["files"][0].get("file_token"))
            sandbox.world.unpin(messages[61])
            await program.until(found(program))
            calls = sandbox.calls.document()
            assert set(calls["by_code"]) == {"0"}
        assert agrees()
        (file,) = shown(sandbox)["om_picture"]["附件信息"]
        assert file["file_token"]
        assert len(cards(sandbox)) == 2


async def test_without_a_base_everything_else_works(tmp_path: Path) -> None:
    async with Sandbox(SandboxConfig(scenario="quiet", rate_limits=False)) as sandbox:
        message = say(sandbox, "只在本地")
        async with running(sandbox, tmp_path, BITABLE_APP_TOKEN="") as program:
            await program.until(lambda: program.application.status().plugins[1].phase == "running")
            await program.until(lambda: "im.v1.pin.list" in sandbox.calls.document()["by_name"])
            pin(sandbox, message)
            await program.until(lambda: program.rows() and cards(sandbox))
            sandbox.world.recall(message, message.sender)
            await program.until(lambda: not program.rows())
        assert shown(sandbox) == {}
