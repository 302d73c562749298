"""Plugins on the real bus and a real store: events arrive in the journal, a clock is turned by hand."""

from __future__ import annotations

import inspect
import shutil
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Self
from zoneinfo import ZoneInfo

from feishu_events import SENT

from core import Context, Event, Manifest, Message, Number, Table, Text
from core.journal import admit
from core.loading.plugins import Hook, Plugin
from core.manifest import Config
from core.running.bus import PluginConsumer
from core.status import PluginStatus
from core.storage import open_engine
from core.storage.protocol import Engine

SEEN = Table("seen", (Text("message"), Number("times"), Text("trace")), key=("message",))
"""What the plugins of these tests count: how often each message was seen."""

DEADLINE = 20.0

HookFunction = Callable[..., Awaitable[None]]


def plugin(name: str = "tester", config: Config | None = None, **parts: Any) -> Plugin:
    """A plugin of the hooks given by name; whatever else is given goes into its manifest."""
    hooks = {key: value for key, value in parts.items() if callable(value)}
    declared = {key: value for key, value in parts.items() if key not in hooks}
    manifest = Manifest(name=name, summary="Tests.", **({"tables": (SEEN,)} | declared))
    wanted = {hook: Hook(call, tuple(inspect.signature(call).parameters)) for hook, call in hooks.items()}
    return Plugin(manifest, config or Config(), wanted, {})


def counting(name: str = "tester", before: Callable[[Message], None] = lambda message: None, **parts: Any) -> Plugin:
    """A plugin that counts every message; ``before`` sees the message first and may raise."""

    async def on_message(message: Message, ctx: Context[Any]) -> None:
        ctx.table(SEEN).add(message.id, times=1)
        before(message)

    return plugin(name, on_message=on_message, **parts)


class Bench:
    """A data directory, its journal, and the consumers started on it."""

    def __init__(self, directory: Path, engine: Engine | None = None, chats: tuple[str, ...] = ()) -> None:
        self.directory = directory
        self.now = SENT
        self.chats = chats
        self.published = threading.Event()
        self.consumers: list[PluginConsumer] = []
        self._engine = engine or open_engine(directory)
        self._journal = self._engine.journal()
        self.store = self._engine.store()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for consumer in self.consumers:
            consumer.stop(5)
        self._journal.close()
        self.store.close()

    def arrive(self, *bodies: bytes) -> int:
        """The journal takes events and wakes everybody; its head."""
        head = self._journal.append([admit(body, self.now) for body in bodies]).head
        self.wake()
        return head

    def advance(self, seconds: float) -> None:
        """Time passes for everybody at once."""
        self.advance_to(self.now + round(seconds * 1000))

    def advance_to(self, moment: int) -> None:
        """It is ``moment`` (ms) for everybody."""
        self.now = moment
        self.wake()

    def wake(self) -> None:
        for consumer in self.consumers:
            consumer.wake()

    def consumer(self, one: Plugin, **options: Any) -> PluginConsumer:
        """A consumer that is not started yet; its tables are there."""
        self.store.prepare(one.name, one.tables)
        consumer = PluginConsumer(
            one,
            self._engine,
            timezone=ZoneInfo("Asia/Shanghai"),
            chats=self.chats,
            clock=lambda: self.now,
            status=_no_status,
            on_published=self.published.set,
            **{"commit_every": 0.0, **options},
        )
        self.consumers.append(consumer)
        return consumer

    def start(self, one: Plugin, *, at: int | None = 0, **options: Any) -> PluginConsumer:
        """Start a plugin at the journal's beginning, or with ``at=None`` where a new one starts."""
        if at is not None:
            self.store.cursor(one.name, at)
        consumer = self.consumer(one, **options)
        consumer.start()
        return consumer

    def run(self, one: Plugin, **options: Any) -> PluginConsumer:
        """Start a plugin and wait until it has done what there is."""
        consumer = self.start(one, **options)
        self.finish(consumer)
        return consumer

    def finish(self, *consumers: PluginConsumer) -> None:
        """Wait until these have done what there is."""
        head = self._journal.head()
        for consumer in consumers or self.consumers:
            until(lambda one=consumer: one.idle_at >= head, f"{consumer.plugin.name} to finish")

    def pass_time(self, condition: Callable[[], object], what: str) -> None:
        """Let second after second pass until another thread has done something."""
        until(lambda: condition() or self.advance(1), what)

    def finish_in_time(self) -> None:
        """Let time pass until everybody has done what there is, also what waits for its time."""
        head = self._journal.head()
        self.pass_time(lambda: all(one.idle_at >= head for one in self.consumers), "everybody to finish")

    def status(self, consumer: PluginConsumer) -> PluginStatus:
        stored = {one.plugin: one for one in self.store.consumers()}
        return consumer.status(stored.get(consumer.plugin.name), self._journal.head())

    def seen(self, name: str = "tester") -> dict[str, int]:
        """How often each message was counted."""
        return {row["message"]: row["times"] for row in self.store.scan(name, SEEN)}

    def image(self, to: Path) -> Path:
        """The files as they are on disk now: what a killed process leaves."""
        shutil.copytree(self.directory, to)
        return to


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for what another thread does."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, f"waited too long for {what}"
        time.sleep(0.002)


class Step:
    """A place where a hook stops until it is let on."""

    def __init__(self) -> None:
        self._reached = threading.Event()
        self._on = threading.Event()

    def __call__(self, _message: Event | None = None) -> None:
        """Stand here; called by the hook, it blocks its thread."""
        self._reached.set()
        assert self._on.wait(DEADLINE)

    def reached(self) -> None:
        assert self._reached.wait(DEADLINE)

    def go_on(self) -> None:
        self._on.set()


def _no_status() -> Any:
    raise AssertionError("no plugin here asks for the status")
