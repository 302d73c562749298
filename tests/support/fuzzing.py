"""Hostile frames among good ones, from the socket to what plugins store: nothing breaks, no neighbour is lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final
from zoneinfo import ZoneInfo

import aiohttp
import feishu_events as feishu
import orjson
from hostile import Hostility
from loguru import logger
from stepped import SteppedConsumer, SteppedJournal, files
from virtual_time import run_virtually

from core.errors import LarkflockError
from core.feishu.connection import LongConnection
from core.feishu.frame_pb2 import Frame
from core.loading.plugins import Plugin, load
from core.platform import Unconnected
from core.rendering.message import render
from core.settings import load_plugins_file
from core.storage import open_engine
from core.storage.values import Failure

ROOT: Final = Path(__file__).parents[2]
BATCH: Final = 500
"""Cases between two looks at what became of them."""
GOOD: Final = 10
"""So many hostile cases to one good event."""

Cases = Iterable[Sequence[bytes]]


@dataclass
class Report:
    """What became of the cases."""

    cases: int = 0
    frames: int = 0
    journaled: int = 0
    good: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    """Frames that were dropped, by reason."""
    unreadable: Counter[str] = field(default_factory=Counter)
    """Events nobody can read, by reason."""
    refused: Counter[str] = field(default_factory=Counter)
    """Events that a plugin could not handle, by plugin and kind of error."""
    findings: list[str] = field(default_factory=list)
    """What must not happen."""


class Socket:
    """A socket from which these frames are read."""

    def __init__(self, data: Iterable[bytes]) -> None:
        self._data = data
        self.answers: list[bytes] = []

    async def __aiter__(self) -> AsyncIterator[Any]:
        for one in self._data:
            yield SimpleNamespace(type=aiohttp.WSMsgType.BINARY, data=one)

    def exception(self) -> None:
        return None

    async def send_bytes(self, data: bytes) -> None:
        self.answers.append(data)


class FuzzedConsumer(SteppedConsumer):
    """A consumer that remembers why events failed."""

    why: list[tuple[int, BaseException]]

    def _failure(self, seq: int, attempts: int, error: BaseException) -> Failure:
        self.why.append((seq, error))
        return super()._failure(seq, attempts, error)


class Fuzz:
    """The receiving side of the program, its plugins, and files of its own."""

    def __init__(self, directory: Path, report: Report, plugins: Sequence[Plugin]) -> None:
        self.report = report
        self._engine = open_engine(directory)
        self._store, self._reader = self._engine.store(), self._engine.journal()
        loop = asyncio.get_running_loop()
        self._journal = SteppedJournal(self._engine, clock=self._now, on_fresh=lambda: None)
        self._connection = LongConnection(
            "https://platform.invalid", "cli", "", self._journal.submit, clock=self._now, on_given_up=lambda: None
        )
        self._connection.stop()
        self._connection._loop = loop
        self._consumers = [self._consumer(plugin) for plugin in plugins]
        self._tasks = [asyncio.create_task(one.run()) for one in self._consumers]

    async def put_through(self, cases: Cases) -> None:
        """Receive ``cases`` with good events among them, and see what became of each."""
        sent: list[tuple[bytes, str]] = []
        frames: list[bytes] = []
        for number, case in enumerate(cases):
            if number % GOOD == 0:
                frames.append(self._good_frame(sent))
            frames += case
            self.report.cases += 1
        frames.append(self._good_frame(sent))
        self.report.frames += len(frames)
        socket = Socket(frames)
        before = self._reader.head()
        try:
            await self._connection._receive(socket)  # type: ignore[arg-type]
        except Exception as error:
            self.report.findings.append(f"the connection broke: {error!r}")
        self._journal.step()
        await self._connection._finish_acknowledging()
        self.report.journaled += self._reader.head() - before
        answered = {frame.log_id for frame in map(Frame.FromString, socket.answers)}
        for number, (_, message_id) in enumerate(sent):
            if self._first + number not in answered:
                self.report.findings.append(f"{message_id} was not acknowledged")
        await self._handled([message_id for _, message_id in sent])
        self._first += len(sent)

    async def close(self) -> None:
        self.report.rejected.update(self._connection.status().rejected)
        self.report.unreadable.update(self._reader.rejected())
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for consumer in self._consumers:
            consumer.stop(0)
        self._store.close()
        self._reader.close()

    _first = 10**9
    """The log_id of the next good frame."""

    def _good_frame(self, sent: list[tuple[bytes, str]]) -> bytes:
        message_id = f"om_good_{self._first + len(sent)}"
        data = frame_of(feishu.message(message_id, "ou_good"), self._first + len(sent))
        sent.append((data, message_id))
        return data

    async def _handled(self, good: Sequence[str]) -> None:
        """Wait until every plugin has seen the events; what it could not handle must have a reason."""
        head = self._reader.head()
        for consumer, task in zip(self._consumers, self._tasks, strict=True):
            while consumer.plugin.types and consumer.idle_at < head and not task.done():
                consumer.wake()
                await asyncio.sleep(0.1)
            if task.done():
                self.report.findings.append(f"the consumer of {consumer.plugin.name} ended: {task.exception()!r}")
                continue
            for seq, error in consumer.why:
                self.report.refused[f"{consumer.plugin.name}: {type(error).__name__}"] += 1
                if not isinstance(error, LarkflockError):
                    stored = self._reader.fetch(seq)
                    body = stored.body if stored else b""
                    self.report.findings.append(f"{consumer.plugin.name}: {error!r} for {body[:600]!r}")
            consumer.why.clear()
        self.report.good += len(good)
        for plugin in [one.plugin for one in self._consumers if one.plugin.name == "archive"]:
            table = next(one for one in plugin.tables if one.key == ("message_id",) and one.setting)
            there = self._store.get_many("archive", table, [(one,) for one in good])
            self.report.findings += [f"the archive lost {one}" for one in good if (one,) not in there]

    def _consumer(self, plugin: Plugin) -> FuzzedConsumer:
        self._store.prepare(plugin.name, plugin.tables)
        self._store.cursor(plugin.name, 0)
        consumer = FuzzedConsumer(
            plugin,
            self._engine,
            timezone=ZoneInfo("Asia/Shanghai"),
            chats=(),
            clock=self._now,
            status=lambda: (_ for _ in ()).throw(AssertionError("nobody asks")),
            on_published=lambda: None,
            platform=Unconnected(),
            batch_seconds=1e9,
            commit_every=0.0,
            suspend_after=0,
        )
        consumer.why = []
        return consumer

    @staticmethod
    def _now() -> int:
        return feishu.SENT + round(asyncio.get_running_loop().time() * 1000)


def frame_of(body: bytes, number: int = 1) -> bytes:
    """A frame with nothing wrong."""
    frame = Frame(seq_id=1, log_id=number, service=1, method=1, payload=body)
    frame.headers.add(key="type", value="event")
    frame.headers.add(key="message_id", value=f"m{number}")
    data: bytes = frame.SerializeToString()
    return data


def fuzz(cases: Cases, *, progress: Callable[[Report], None] = lambda report: None) -> Report:
    """Put ``cases`` through everything, and every ``content`` through the rendering alone."""
    report = Report()
    logger.disable("core")
    logger.disable("plugins")
    try:
        with files() as directory:
            run_virtually(_fuzzed(cases, directory, report, progress))
    finally:
        logger.enable("core")
        logger.enable("plugins")
    return report


async def _fuzzed(cases: Cases, directory: Path, report: Report, progress: Callable[[Report], None]) -> None:
    file = ROOT / "plugins.toml"
    sections = {name: one for name, one in load_plugins_file(file).items() if name in ("activity", "archive", "pin")}
    plugins = load(sections, {"BITABLE_TABLE_ID": "", "DATA_DIR": str(directory)}, file)
    fuzz = Fuzz(directory, report, plugins)
    try:
        batch: list[Sequence[bytes]] = []
        for case in cases:
            batch.append(case)
            if len(batch) == BATCH:
                await fuzz.put_through(batch)
                batch.clear()
                progress(report)
        if batch:
            await fuzz.put_through(batch)
    finally:
        await fuzz.close()


def grown(seed: int, count: int) -> Iterable[list[bytes]]:
    """Cases of the grammar."""
    source = Hostility(seed)
    return (source.frames() for _ in range(count))


def render_all(seed: int, count: int) -> list[str]:
    """What the rendering raised for hostile contents, or made that cannot be encoded."""
    source, findings = Hostility(seed), []
    for _ in range(count):
        kind, content = source.content()
        try:
            render(kind, content).text.encode()
        except Exception as error:
            findings.append(f"render({kind!r}, {content[:600]!r}): {error!r}")
    return findings


CORPUS: Final = ROOT / "tests" / "corpus" / "hostile.jsonl"


def corpus() -> list[list[bytes]]:
    """The cases that stay in the repository: found by the grammar or thought of, each with its name."""
    return [
        [bytes.fromhex(frame) for frame in one["frames"]] for one in map(orjson.loads, CORPUS.read_bytes().splitlines())
    ]
