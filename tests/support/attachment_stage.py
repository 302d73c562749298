"""The fetcher of attachments between a real store and a sandbox; what plugins ask for is committed by the test."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
from api_client import SHANGHAI, Clock, Sleep
from sandbox_client import until
from unruly import UnrulySandbox

from core.attachments.fetching import SHARE, Attachments
from core.feishu.ledger import Ledger
from core.feishu.transport import Api
from core.pace import Pace
from core.settings import load_settings
from core.status import AttachmentStatus
from core.storage import open_engine
from core.storage.values import AttachmentRequest, Commit
from sandbox.config import SandboxConfig
from sandbox.scenario.act import Resource
from sandbox.world import Refusal

RESOURCE = "im.v1.messageResource.get"
UPLOAD = "drive.v1.media.uploadAll"
PREPARE = "drive.v1.media.uploadPrepare"
PART = "drive.v1.media.uploadPart"
FINISH = "drive.v1.media.uploadFinish"
MB = 1 << 20


class AttachmentStage:
    """The parts, as the application connects them; ``restart`` begins anew from what is on disk."""

    def __init__(self, sandbox: UnrulySandbox, directory: Path, quota: int, settings: dict[str, str]) -> None:
        self.sandbox = sandbox
        self.directory = directory
        self.clock = Clock()
        self.quota = quota
        self.settings = settings
        self._made = 0
        self._engine = open_engine(directory)

    async def open(self, **settings: str) -> None:
        """Begin with what is on disk."""
        self.settings |= settings
        env = {**self.sandbox.environment(), "DATA_DIR": str(self.directory), "CHAT_ID": "", **self.settings}
        app = self.sandbox.world.app
        self.store = self._engine.store()
        self.ledger = Ledger(self.store, self.quota, SHANGHAI, self.clock)
        self._api = Api(self.sandbox.url, app.app_id, app.secret, self.ledger, sleep=Sleep())
        await self._api.__aenter__()
        self.service = Attachments(
            self._api,
            self.store,
            load_settings(env, needs_credentials=True),
            Pace(self.quota, SHARE),
            self.ledger,
            clock=self.clock,
            on_published=lambda: None,
        )
        self._running = asyncio.create_task(self.service.run())

    async def close(self) -> None:
        """As the program ends."""
        self.service.stop()
        await self._running
        await self._api.__aexit__()
        self.store.close()

    async def kill(self) -> None:
        """Without a goodbye: nothing under way is finished, nothing is tidied."""
        tasks = [self._running, *self.service._running.values()]
        self.service._running.clear()
        self.service._ended = lambda task: None  # type: ignore[method-assign]
        self.service._files.tidy = lambda wanted: None  # type: ignore[method-assign]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._api.__aexit__()
        self.store.close()

    async def restart(self, **settings: str) -> None:
        """End and begin anew."""
        await self.close()
        await self.open(**settings)

    def resource(self, size: int = 1000, kind: str = "file", name: str = "报告.pdf", key: str = "") -> str:
        """The key of something that messages may hold."""
        self._made += 1
        key = key or f"{'img' if kind == 'image' else 'file'}_v3_{self._made:06d}_stage"
        self.sandbox.world.resources[key] = Resource(key, name, kind, size, seed=self._made)  # type: ignore[arg-type]
        return key

    def say(self, key: str, kind: str = "file", name: str = "报告.pdf", message_type: str = "") -> str:
        """The message that holds it."""
        world = self.sandbox.world
        chat = next(iter(world.chats.values()))
        content = {"image_key": key} if kind == "image" else {"file_key": key, "file_name": name}
        told = orjson.dumps(content).decode()
        return world.say(chat, next(iter(chat.members)), message_type or kind, told).message_id

    def ask(self, message_id: str, key: str, kind: str = "file", name: str = "报告.pdf", plugin: str = "probe") -> None:
        """What a plugin's commit holds after ``ctx.attach``."""
        cursor = self.store.cursor(plugin, 0)
        request = AttachmentRequest(message_id, key, kind, name)
        self.store.commit(Commit(plugin, cursor, cursor + 1, now=self.clock(), attachments=[request]))
        self.service.wake()

    def want(self, size: int = 1000, kind: str = "file", name: str = "报告.pdf", plugin: str = "probe") -> str:
        """Somebody says it, a plugin asks for it: the key."""
        key = self.resource(size, kind, name)
        self.ask(self.say(key, kind, name), key, kind, name, plugin)
        return key

    def refuse(self, key: str, code: int = 0, *, after: int = 0, times: int = 0) -> None:
        """Downloads of it fail, or are cut after so many bytes."""
        self.sandbox.world.refusals[key] = Refusal(code, after, times)

    @property
    def outcomes(self) -> list[dict[str, Any]]:
        """What was published, in its order."""
        return [dict(each.event) for _, each in self.store.publications(1000)]

    async def outcome(self, count: int = 1) -> dict[str, Any]:
        """The last of ``count`` outcomes, once there are so many."""
        await until(lambda: len(self.outcomes) >= count)
        assert len(self.outcomes) == count
        return self.outcomes[-1]

    def pass_time(self, seconds: float) -> None:
        """It is later."""
        self.clock.now += int(1000 * seconds)
        self.service.wake()

    async def outcome_in_time(self, count: int = 1, *, hours: float = 1) -> dict[str, Any]:
        """As ``outcome``, while hour after hour passes."""
        deadline = time.monotonic() + 20
        while len(self.outcomes) < count:
            assert time.monotonic() < deadline, "waited too long"
            if not self.service._running:
                self.pass_time(3600 * hours)
            await asyncio.sleep(0.005)
        return self.outcomes[-1]

    async def out_of_budget(self) -> None:
        """Returns when all that the budget can bear is done."""
        service = self.service
        await until(lambda: not service._wake.is_set() and not service._running and self.status.for_budget)

    @property
    def status(self) -> AttachmentStatus:
        return self.service.status(self.store)

    def calls(self, *names: str) -> list[int]:
        """How often these operations were called."""
        return [len(self.sandbox.seen[name]) for name in names]

    def uploaded(self, token: str) -> Any:
        """The file in the base."""
        file = self.sandbox.media.find(token, self.sandbox.tables.app_token)
        assert file is not None
        return file

    def sent(self, key: str) -> bytes:
        """The bytes that people sent."""
        return self.sandbox.world.resources[key].read()

    def on_the_way(self) -> Sequence[Path]:
        """What is in the folder of partial downloads."""
        return list((self.directory / "attachments" / ".partial").glob("*"))


@asynccontextmanager
async def staged(directory: Path, *, quota: int = 1_000_000, **settings: str) -> AsyncIterator[AttachmentStage]:
    """A stage in a quiet sandbox; ``settings`` by their environment names."""
    async with UnrulySandbox(SandboxConfig(scenario="quiet", rate_limits=False)) as sandbox:
        stage = AttachmentStage(sandbox, directory, quota, settings)
        await stage.open()
        try:
            yield stage
        finally:
            await stage.close()
