"""The three example packages: installed, enabled beside the bundled plugins, used by a group, and told truly."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from importlib import import_module
from itertools import cycle
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
import pytest
from aiohttp import web
from dotenv import dotenv_values
from llm_stub import llm_stub
from programs import ROOT, SECONDS, CoreProgram, SandboxProgram, core_environment, core_program, sandbox_program

EXAMPLES = ("assistant", "checkin", "commands")
PLUGINS = ("activity", "archive", "pin", "health", *EXAMPLES)
MODULES = {"assistant": "larkflock_assistant", "checkin": "larkflock_checkin", "commands": "larkflock_commands.plugin"}
ANSWER = ("Photosynthesis", " 把光变成糖", "。")
MIRRORED = {
    "activity.activity": "BITABLE_TABLE_ID",
    "archive.archive": "ARCHIVE_TABLE_ID",
    "archive.topics": "SUMMARY_TABLE_ID",
    "pin.pin": "PIN_TABLE_ID",
    "assistant.conversations": "ASSISTANT_TABLE_ID",
    "checkin.checkins": "CHECKIN_TABLE_ID",
}
"""The tables in Bitable, and what names them."""
PATIENCE = SECONDS
"""How long anything may take: seven plugins work here, and one imports a large library when it is first asked."""
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place with the three packages, as pip installs them."""
    there = tmp_path_factory.mktemp("examples")
    for name in EXAMPLES:
        ignored = shutil.ignore_patterns("build", "*.egg-info", "tests", "__pycache__", ".*")
        shutil.copytree(ROOT / "examples" / name, there / name, ignore=ignored)
    pip = ("-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--no-compile")
    done = subprocess.run(
        [sys.executable, *pip, "--target", str(there / "site"), *(str(there / name) for name in EXAMPLES)],
        env={"PATH": os.environ["PATH"], "HOME": str(there), "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return there / "site"


class Stage:
    """The group, the program that listens to it, and what both have to say."""

    def __init__(
        self, sandbox: SandboxProgram, core: CoreProgram, cast: dict[str, Any], tables: Mapping[str, str]
    ) -> None:
        self.sandbox = sandbox
        self.core = core
        self.tables = tables
        self.bot = cast["bot"]
        self.people = {one["name"]: one["id"] for one in cast["people"]}
        self.chat = sandbox.environment["CHAT_ID"]
        self.said: Counter[str] = Counter()
        """Messages by who said them."""

    async def act(self, kind: str, **given: Any) -> None:
        """Something happens in the group now."""
        await self.sandbox.post("acts", {"kind": kind, "at": time.time_ns() // 1_000_000, "chat": self.chat, **given})

    async def say(self, who: str, text: str, **given: Any) -> str:
        """Somebody says something; the message's ID."""
        self.said[who] += 1
        message = f"om_said_{self.said.total()}"
        sender = self.people[who]
        await self.act("say", message=message, sender=sender, type="text", content={"text": text}, **given)
        return message

    async def ask(self, who: str, text: str, **given: Any) -> dict[str, Any]:
        """What the bot answers to what somebody says."""
        message = await self.say(who, text, **given)
        return await self.answer_to(message)

    async def answer_to(self, message: str, holding: str = "") -> dict[str, Any]:
        """The bot's answer to a message, once it is there and holds these words."""

        async def there() -> dict[str, Any] | None:
            for shown in await self.messages():
                of_bot = shown["sender"] in (self.bot["id"], self.bot["open_id"])
                if of_bot and shown.get("parent", {}).get("id") == message and holding in words(shown):
                    return shown
            return None

        return dict(await eventually(there, f"an answer to {message}"))

    async def press(self, who: str, card: dict[str, Any], part: str) -> dict[str, Any]:
        """What somebody sees who presses this button."""
        seen = await self.sandbox.post("clicks", {"message": card["id"], "person": self.people[who], "part": part})
        assert seen["code"] == 0, seen
        return dict(seen)

    async def card_with(self, title: str) -> dict[str, Any]:
        """The bot's latest card with these words, once it is there."""

        async def there() -> dict[str, Any] | None:
            shown = reversed(await self.messages())
            return next((one for one in shown if "card" in one and title in words(one)), None)

        return dict(await eventually(there, f"a card with {title}"))

    async def messages(self) -> list[dict[str, Any]]:
        """What is said in the group."""
        return list((await self.sandbox.get(f"chats/{self.chat}/messages?limit=100"))["items"])

    async def shown(self, card: dict[str, Any]) -> str:
        """The words of a card as it is now."""
        (found,) = [one for one in await self.messages() if one["id"] == card["id"]]
        return words(found)

    async def records(self, table: str) -> list[dict[str, Any]]:
        """The cells of every record of a Bitable table, texts as texts."""
        base = self.sandbox.environment["BITABLE_APP_TOKEN"]
        items = (await self.sandbox.get(f"tables/{base}/{self.tables[MIRRORED[table]]}"))["items"]
        return [{name: text(cell) for name, cell in one["fields"].items()} for one in items]


def text(cell: Any) -> Any:
    """A cell as people read it."""
    return "".join(part["text"] for part in cell) if isinstance(cell, list) and "text" in cell[0] else cell


def words(shown: dict[str, Any]) -> str:
    """Everything a message says, a card's words too."""
    return orjson.dumps([shown.get("content"), shown.get("card")]).decode()


async def eventually(look: Callable[[], Awaitable[Any]], what: str) -> Any:
    """What ``look`` finds, once it finds something."""
    deadline = time.monotonic() + PATIENCE
    while not (found := await look()):
        assert time.monotonic() < deadline, f"waited too long for {what}"
        await asyncio.sleep(0.05)
    return found


async def streaming(_: web.Request, __: dict[str, Any]) -> web.StreamResponse:
    """An answer as OpenAI's chat completions stream it."""
    pieces = [orjson.dumps({"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [
        {"index": 0, "delta": {"role": "assistant", "content": piece}, "finish_reason": None}
    ]}) for piece in ANSWER]  # fmt: skip
    body = b"".join(b"data: " + piece + b"\n\n" for piece in pieces) + b"data: [DONE]\n\n"
    return web.Response(body=body, content_type="text/event-stream")


@asynccontextmanager
async def playing(directory: Path, site: Path) -> AsyncIterator[tuple[Stage, dict[str, str]]]:
    """A quiet group with all seven plugins in it, and the environment for more commands."""
    async with sandbox_program("--scenario", "quiet") as sandbox, llm_stub(default=streaming) as model:
        path = os.pathsep.join(map(str, (ROOT, site)))
        more = {"PYTHONPATH": path, "HEALTH_CHECK_PORT": "0", "PIN_MONITOR_INTERVAL": "10", "ASSISTANT_API_KEY": "sk-1"}
        environment = core_environment(sandbox, **more)
        enabled = "".join(f"[plugins.{name}]\nenabled = true\n" for name in PLUGINS)
        plugins = f'{enabled}[plugins.assistant.config]\nbase_url = "{model.url}"\n'
        (directory / "plugins.toml").write_text(plugins)
        await command(directory, environment, "tables", "create")
        tables = environment | {name: value or "" for name, value in dotenv_values(directory / ".env").items()}
        async with core_program(directory, sandbox, plugins=plugins, **more) as core:
            await sandbox.until(lambda stats: bool(stats["connections"]))
            try:
                yield Stage(sandbox, core, await sandbox.get("overview"), tables), environment
            except AssertionError:
                print((directory / "logs" / "larkflock.log").read_text("utf-8")[-20_000:])
                raise


async def command(directory: Path, environment: dict[str, str], *given: str) -> str:
    """What ``python -m core`` says; it has to succeed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-m", "core", *given),
        cwd=directory, env=environment,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await asyncio.wait_for(process.communicate(), SECONDS)
    assert process.returncode == 0, said.decode()
    return said.decode()


async def play(stage: Stage) -> None:
    """What people say, press and are told."""
    notice = await stage.say("张伟", "周五下午发布 1.4")
    await stage.act("pin", message=notice, by=stage.people["张伟"])
    await stage.say("王芳", "收到，文档我来写", parent=notice)

    assert "连续 1 天，获得 1 灵芝" in words(await stage.ask("李雷", "签到"))
    await stage.say("王芳", "签到榜")
    board = await stage.card_with("签到榜")
    assert (await stage.press("王芳", board, "签到"))["toast"]["type"] == "success"
    assert "今天 2 人签到" in await stage.shown(board)

    mention = {"key": "@_user_1", "open_id": stage.bot["open_id"], "name": stage.bot["name"]}
    question = await stage.say("韩梅梅", "@_user_1 什么是光合作用", mentions=[mention])
    await stage.answer_to(question, "".join(ANSWER))

    rank = await stage.ask("王芳", "/rank")
    assert "活跃度排行" in words(rank)
    await stage.press("李雷", rank, "上个月")
    assert "没有记录" in await stage.shown(rank)
    assert "/checkin　本群的签到榜" in words(await stage.ask("李雷", "帮助"))
    leaders = words(await stage.ask("张伟", "/checkin"))
    assert "1. " in leaders
    assert "李雷" in leaders
    assert "王芳" in leaders
    for table in ("pin.pin", "archive.topics"):
        await eventually(partial(stage.records, table), table)
    assert "周五下午发布 1.4" in words(await stage.ask("李雷", "/pins"))
    assert "1 回复" in words(await stage.ask("张伟", "话题 3"))


async def test_the_three_run_beside_the_bundled_plugins_in_one_group(tmp_path: Path, site: Path) -> None:
    async with playing(tmp_path, site) as (stage, environment):
        await play(stage)
        code, said = await stage.core.end(signal.SIGTERM)
        assert code == 0, said
        assert "Nothing is left to do." in said
        assert not re.search("ERROR|Traceback", said), said

        there = {table: await stage.records(table) for table in MIRRORED}
        people = {row["用户名称"]: row for row in there["activity.activity"]}
        assert {name: row["发言次数"] for name, row in people.items()} == stage.said
        assert people["张伟"]["被Pin次数"] == 1
        assert len(there["archive.archive"]) == stage.said.total()
        assert [(row["话题标题"], row["回复数"]) for row in there["archive.topics"]] == [("周五下午发布 1.4", 1)]
        assert [row["消息内容"] for row in there["pin.pin"]] == ["周五下午发布 1.4"]
        assert [(row["标题"], row["轮数"], row["发起人"]) for row in there["assistant.conversations"]] == [
            ("什么是光合作用", 1, "韩梅梅")
        ]
        checked = {row["用户名称"]: (row["连续天数"], row["lingzhi_earned"]) for row in there["checkin.checkins"]}
        assert checked == {"李雷": (1, 1), "王芳": (1, 1)}

        here = await command(tmp_path, environment, "tables")
        for table, records in there.items():
            assert f"{table}: {len(records)} rows, 0 waiting for Bitable" in here
        assert "checkin.standings: 2 rows, private" in here
        assert "commands.askers: 3 rows, private" in here
        compared = await command(tmp_path, environment, "tables", "verify")
        assert compared.count("no difference") == len(MIRRORED)


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_page_tells_every_option_and_its_default(name: str) -> None:
    page = (ROOT / "examples" / name / "README.md").read_text("utf-8")
    rows = page.split(f"[plugins.{name}.config]`", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    fields = import_module(MODULES[name]).manifest.config.model_fields
    told = set[str]()
    for row in rows:
        options, defaults = (re.findall(r"`([^`]*)`", cell) or [cell.strip()] for cell in row.split("|")[1:3])
        told |= set(options)
        for option, cell in zip(options, cycle(defaults), strict=False):
            tells(cell, plain(fields[option].get_default(call_default_factory=True)))
    from_the_environment = {option for option, field in fields.items() if field.json_schema_extra}
    assert told | from_the_environment == fields.keys()


def tells(cell: str, default: Any) -> None:
    """The cell has the default as plugins.toml would, the beginning of a long text, or words where it is unset."""
    if isinstance(default, str) and cell.endswith("…"):
        assert default.startswith(cell.removesuffix("…"))
    elif default is None:
        with pytest.raises(tomllib.TOMLDecodeError):
            tomllib.loads(f"value = {cell}")
    else:
        assert tomllib.loads(f"value = {cell}")["value"] == default


def plain(value: Any) -> Any:
    """A default as plugins.toml would have it."""
    return list(value) if isinstance(value, tuple) else value


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_links_of_each_page_lead_somewhere(name: str) -> None:
    folder = ROOT / "examples" / name
    links = re.findall(r"\]\(([^)#]+)", (folder / "README.md").read_text("utf-8"))
    assert "../../README.md" in links
    assert [link for link in links if "://" not in link and not (folder / link).exists()] == []


async def test_the_command_on_the_page_for_authors_answers() -> None:
    from larkflock_commands import Call, Usage

    page = (ROOT / "examples/commands/README.md").read_text("utf-8")
    (source,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    module: dict[str, Any] = {}
    exec(compile(source, "examples/commands/README.md", "exec"), module)

    def call(*arguments: str) -> Call:
        return Call(arguments, "oc_1", True, "ou_1", 0, ZoneInfo("Asia/Shanghai"))

    answer = await module["WEATHER"].answer(call(), None)
    assert (answer.title, answer.buttons) == ("天气 北京", (("上海", "上海"),))
    assert (await module["WEATHER"].answer(call("上海"), None)).lines == ("小雨，18 ℃",)
    with pytest.raises(Usage):
        await module["WEATHER"].answer(call("月球"), None)


def test_the_check_in_game_needs_no_commands() -> None:
    program = "import sys, larkflock_checkin; assert 'larkflock_commands' not in sys.modules"
    path = os.pathsep.join(map(str, (ROOT, ROOT / "examples/checkin/src")))
    subprocess.run([sys.executable, "-P", "-c", program], env={"PYTHONPATH": path}, check=True, timeout=SECONDS)
