"""The program under a harness with the offline Feishu: all of it, with its connection, calls and Bitable tables.

The sandbox is a process, the program runs in a thread of its own; what people do is asked of the sandbox.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar

import aiohttp
import orjson

from ..app import Application, milliseconds
from ..feishu.bases import RemoteBase
from ..feishu.ledger import Ledger
from ..feishu.transport import Api
from ..loading.plugins import Plugin
from ..mirroring.blueprint import fields
from ..settings import load_settings
from ..storage import open_engine
from ..storage.protocol import StoreHandle
from ..storage.values import Publication
from ..table import Row, Table
from ..trial import UNLIMITED, SandboxProcess
from .failures import HarnessFailure, NeverIdle
from .hooks import Notes, WatchedHooks
from .program import Sent, table_of
from .sandbox_acts import Acts

T = TypeVar("T")

PATIENCE: Final = 60.0
"""Seconds of real time in which everything has to come to rest."""
POLL: Final = 0.02
TICK: Final = 0.05


class Sandboxed:
    """Plugins in the whole program, against ``python -m sandbox`` with a quiet group."""

    def __init__(self, directory: Path, plugins: Sequence[Plugin], notes: Notes, *, timezone: str) -> None:
        self.sent: list[Sent] = []
        self.card_answers: dict[str, dict[str, Any]] = {}
        self.people: dict[str, str] = {}
        """Names by open_id; who they are is up to the sandbox."""
        self.chat = ""
        """The group."""
        self.plugins = tuple(plugins)
        self._directory = directory
        self._notes = notes
        self._timezone = timezone
        self._ahead = 0
        """ms by which the program's clock is ahead of the machine's."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="harness:program", daemon=True)
        self._table_ids: dict[Table, str] = {}
        self._opened = AsyncExitStack()
        """The sandbox, as far as it was started."""
        self._begun = ExitStack()
        """The program, likewise."""

    @property
    def now(self) -> int:
        """The time, ms UTC; here it goes on by itself."""
        return milliseconds() + self._ahead

    def moment(self) -> int:
        """When the next event happens."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """A hook was spared these seconds."""
        self._ahead += round(seconds * 1000)

    def start(self, plugins: Sequence[Plugin] | None = None) -> None:
        """Start the sandbox, unless it runs, and the program."""
        self.plugins = tuple(plugins or self.plugins)
        if not self._thread.is_alive():
            self._thread.start()
            self._do(self._open())
        self._do(self._begin())
        self._begun.callback(lambda: self._do(self._end()))
        self.store: StoreHandle = self._begun.enter_context(closing(open_engine(self._directory).store()))

    def stop(self) -> None:
        """End the program; the sandbox goes on."""
        self._begun.close()

    def close(self) -> None:
        """End the sandbox."""
        self._do(self._opened.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def append(self, bodies: Sequence[bytes]) -> None:
        """People do what these events tell, and the sandbox makes events of it."""
        for body in bodies:
            event = orjson.loads(body)
            answer = self._do(self._acts.play(event))
            if answer is not None:
                self.card_answers[event["header"]["event_id"]] = answer

    async def advance(self, until: int) -> None:
        """Time passes, from one thing that is due to the next."""
        await self.settle()
        while (left := until - self.now) > 0:
            due = [at for one in self.plugins if (at := self.store.next_due(one.name)) is not None and at > self.now]
            by = min(left, min(due, default=until) - self.now)
            self._ahead += by
            await asyncio.to_thread(self._do, self._ask("POST", "clock", {"by": by / 1000}))
            await self.settle()

    async def settle(self) -> None:
        """Return once everything is handled, sent and fetched. Raises what hooks raise unexpectedly."""
        await self._until(self._at_rest, "the program did not come to rest")
        self.check()
        self.sent = await asyncio.to_thread(self._do, self._said_by_the_bot())

    async def _until(self, there: Callable[[], bool], otherwise: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while True:
            self.check()
            if await asyncio.to_thread(self._do, self._pushed()) and there():
                return
            if time.monotonic() > deadline:
                raise NeverIdle(f"{otherwise} within {PATIENCE:g} s")
            await asyncio.sleep(POLL)

    def _unwritten(self) -> int:
        """Rows that Bitable does not show as they are."""
        tables = [(plugin.name, table) for plugin in self.plugins for table in plugin.table_ids]
        return sum(self.store.count_pending(name, table)[0] for name, table in tables)

    def _at_rest(self) -> bool:
        """What is due is looked at first: while it is being done a consumer is at no position."""
        program, due = self._application, [self.store.next_due(plugin.name) for plugin in self.plugins]
        if self.store.unsent(self.now, 1) or self.store.publications(1):
            return False
        head = program.journal.head
        return (
            program.roster.settled
            and not any(at is not None and at <= self.now for at in due)
            and all(consumer.idle_at >= head for consumer in program.consumers)
        )

    def check(self) -> None:
        """Raise what the test did not expect."""
        __tracebackhide__ = True
        self._notes.check()

    def table(self, wanted: Table | str) -> tuple[str, Table]:
        """A table of one of the plugins, and which plugin that is."""
        return table_of(self.plugins, wanted)

    async def records(self, table: Table) -> list[Row]:
        """What the Bitable table holds, by title, once everything is written; text as text."""
        await self._until(lambda: not self._unwritten(), "not every row was written")
        base, table_id = self._environment["BITABLE_APP_TOKEN"], self._table_ids[table]
        document = await asyncio.to_thread(self._do, self._ask("GET", f"tables/{base}/{table_id}"))
        return [{title: _plain(cell) for title, cell in item["fields"].items()} for item in document["items"]]

    @property
    def published(self) -> list[Publication]:
        """What plugins published, as the journal has it."""
        types = [kind for plugin in self.plugins for kind in plugin.manifest.publishes]
        with closing(open_engine(self._directory).journal()) as journal:
            stored, _ = journal.read_after(0, types, 100_000)
        events = [orjson.loads(one.body) for one in stored]
        return [
            Publication(event["header"]["event_type"], event["header"]["event_id"], event["event"]) for event in events
        ]

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        """Have something done in the program's thread."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE)

    async def _open(self) -> None:
        self._sandbox = await SandboxProcess.start(("--scenario", "quiet"))
        self._opened.push_async_callback(self._sandbox.stop)
        self._environment = self._sandbox.environment
        self._session = await self._opened.enter_async_context(aiohttp.ClientSession())
        overview = await self._ask("GET", "overview")
        self.people = {one["id"]: one["name"] for one in overview["people"]}
        self.chat = overview["chats"][0]["id"]
        self._bot = overview["bot"]["id"]
        self._acts = Acts(self._ask)
        await self._make_tables()

    async def _make_tables(self) -> None:
        """A Bitable table for each that wants one."""
        environment = self._environment
        settings = load_settings(self._settings(), needs_credentials=True)
        with closing(open_engine(self._directory).store()) as store:
            ledger = Ledger(store, settings.api_monthly_quota, settings.zone, milliseconds)
            secret = settings.app_secret.get_secret_value()
            async with Api(settings.feishu_base_url, settings.app_id, secret, ledger) as api:
                base = RemoteBase(api, environment["BITABLE_APP_TOKEN"])
                for plugin in self.plugins:
                    for table in plugin.table_ids:
                        name = f"{plugin.name} {table.name}"
                        self._table_ids[table] = await base.create_table(name, "全部", fields(table))

    async def _begin(self) -> None:
        settings = load_settings(self._settings(), needs_credentials=True)
        plugins = [
            replace(plugin, table_ids={table: self._table_ids[table] for table in plugin.table_ids})
            for plugin in self.plugins
        ]
        watched = [WatchedHooks(plugin, self._notes, twice=False).plugin for plugin in plugins]
        self._application = Application(settings, watched, clock=lambda: self.now, tick=TICK)
        self._running = asyncio.create_task(self._application.run())

    async def _end(self) -> None:
        self._application.stop()
        await self._running

    async def _pushed(self) -> bool:
        """Whether everything that happened was pushed and acknowledged, and its attachments were fetched."""
        if self._running.done():
            self._running.result()
            raise HarnessFailure("the program ended")
        return SandboxProcess.over(await self._sandbox.stats()) and not self._application.attachments.busy

    async def _said_by_the_bot(self) -> list[Sent]:
        sent = []
        for chat in (await self._ask("GET", "overview"))["chats"]:
            for item in (await self._ask("GET", f"chats/{chat['id']}/messages?limit=200"))["items"]:
                if item["sender"] == self._bot and not item["recalled"]:
                    self._acts.noted(item["id"], chat["id"], self._bot)
                    reply_to = item.get("parent", {}).get("id", "")
                    content = item.get("content", {})
                    sent.append(Sent("", item["id"], chat["id"], item["type"], content, reply_to, "", item["at"]))
        return sorted(sent, key=lambda one: one.at)

    async def _ask(self, method: str, path: str, body: Any = None) -> Any:
        """One answer of ``/sandbox/…``."""
        url = f"{self._environment['FEISHU_BASE_URL']}/sandbox/{path}"
        data = None if body is None else orjson.dumps(body)
        async with self._session.request(method, url, data=data) as answer:
            raw = await answer.read()
            if answer.status != 200:
                raise HarnessFailure(f"the sandbox refuses {path}: {raw.decode(errors='replace')}")
            return orjson.loads(raw)

    def _settings(self) -> Mapping[str, str]:
        own = {"DATA_DIR": str(self._directory), "TIMEZONE": self._timezone, "API_MONTHLY_QUOTA": UNLIMITED}
        return {**self._environment, **own, "CHAT_ID": ""}


def _plain(cell: Any) -> Any:
    """A cell as people read it: text comes in pieces."""
    pieces = isinstance(cell, list) and all(isinstance(one, dict) and "text" in one for one in cell)
    return "".join(str(one["text"]) for one in cell) if pieces else cell
