"""Files in messages that plugins want to have: fetched once for all, into the base or onto this disk or both.

What is asked for is in the store, so nothing is lost over a restart. The outcome reaches each plugin as an event,
published in the transaction that marks it done. Calls are made as a share of the month's budget can bear.
"""

from __future__ import annotations

import asyncio
import contextlib
import mimetypes
from asyncio import to_thread
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import datetime
from typing import Final

from loguru import logger

from ..errors import ApiError, LarkflockError, QuotaExhausted, StorageError, TooLarge, Unreachable
from ..feishu import media
from ..feishu.ledger import Ledger
from ..feishu.scopes import NOT_GRANTED
from ..feishu.transport import Api
from ..pace import Pace
from ..settings import Settings
from ..status import AttachmentStatus
from ..storage.protocol import StoreHandle
from ..storage.values import Attachment
from .filename import extension_of, safe_name
from .files import AttachmentFiles

SHARE: Final = 0.25
"""The part of the month's calls that attachments may use."""
STREAMS: Final = 3
"""Transfers at once at the most."""
TICK: Final = 1.0
AT_ONCE: Final = 20
"""Answers given in a row that cost no call."""
FIRST_RETRY: Final = 60_000
"""ms, doubling."""
LONGEST_RETRY: Final = 86_400_000
"""ms until one attachment is tried again."""
LONGEST_PAUSE: Final = 6 * 3_600_000
"""ms until anything is tried again when nothing can succeed."""
MOST_ATTEMPTS: Final = 14
"""Some four days of trying."""
GRACE: Final = 5.0
"""Seconds that transfers have to finish when the program ends."""

OFF: Final = "附件下载已关闭 (ATTACHMENTS=off)"
EMPTY: Final = "文件是空的"


class Attachments:
    """The fetcher, for one event loop; ``on_published`` is told when outcomes wait to be relayed."""

    def __init__(
        self,
        api: Api,
        store: StoreHandle,
        settings: Settings,
        pace: Pace,
        ledger: Ledger,
        *,
        clock: Callable[[], int],
        on_published: Callable[[], None],
        tick: float = TICK,
    ) -> None:
        self._api = api
        self._store = store
        self._settings = settings
        self._pace = pace
        self._ledger = ledger
        self._clock = clock
        self._on_published = on_published
        self._tick = tick
        self._base = settings.bitable_app_token
        self.mode = settings.attachments if self._base or settings.attachments == "off" else "local"
        self._uploads = self.mode in ("upload", "both")
        self._keeps = self.mode in ("local", "both")
        self._cost = 2 if self._uploads else 1
        self._types = frozenset(settings.attachment_types)
        self._media_types = {mimetypes.guess_type(f"x.{one}")[0] for one in self._types} - {None}
        self._files = AttachmentFiles(settings.data_dir)
        self._running: dict[str, asyncio.Task[None]] = {}
        self._uploading = asyncio.Lock()
        self._wake = asyncio.Event()
        self._stopping = False
        self._calls = self._calls_made()
        self._for_budget = False
        self._failures = 0
        self._paused_at = self._not_before = 0
        self._problem = ""

    def wake(self) -> None:
        """Something may have been asked for; from the event loop's thread."""
        self._wake.set()

    def stop(self) -> None:
        """End ``run``; transfers under way have a few seconds, an upload in parts goes on at the next start."""
        self._stopping = True
        self._wake.set()

    async def run(self) -> None:
        """Fetch what is asked for until ``stop``."""
        tidy = False
        try:
            while not self._stopping:
                self._wake.clear()
                try:
                    if not tidy:
                        await to_thread(self._files.tidy, self._store.partial_attachments())
                        tidy = True
                    self._begin()
                except StorageError as error:
                    self._pause(error)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), self._tick)
        finally:
            await self._end()

    @property
    def busy(self) -> bool:
        """Whether something is under way or could begin now; what waits for the budget or for better times is not."""
        if self._running:
            return True
        return not self._for_budget and not self._paused and bool(self._store.attachments(self._clock(), 1))

    def status(self, store: StoreHandle) -> AttachmentStatus:
        """How it is; callable from any thread, with a handle of that thread."""
        count = store.attachment_count()
        waits = self._for_budget and bool(count.waiting)
        return AttachmentStatus(self.mode, count.waiting, waits, count.done, count.size, count.failed, self._problem)

    @property
    def _paused(self) -> bool:
        """Whether nothing may be tried yet; a clock that was put back must not make it wait for the old time."""
        return self._paused_at <= self._clock() < self._not_before

    def _begin(self) -> None:
        """Answer what costs nothing, and begin as many transfers as there is room and budget for."""
        now = self._clock()
        if self._answer_at_once(now):
            self._wake.set()
            return
        calls = self._calls_made()
        self._pace.earn(now / 1000, self._ledger.left, self._ledger.seconds_left)
        self._pace.spend(max(0, calls - self._calls))
        self._calls = calls
        room = (1 if self._failures else STREAMS) - len(self._running)
        if room <= 0 or self._paused:
            return
        self._for_budget = False
        due = self._store.attachments(now, STREAMS + len(self._running), done=False)
        for attachment in [one for one in due if one.file_key not in self._running][:room]:
            problem = self._unwanted(attachment.kind, attachment.name)
            if problem:
                self._settle(attachment, problem)
                self._wake.set()
            elif min(self._pace.saved, self._ledger.left) < self._cost * (len(self._running) + 1):
                self._for_budget = True
                return
            else:
                task = asyncio.create_task(self._work(attachment), name=attachment.file_key)
                self._running[attachment.file_key] = task
                task.add_done_callback(self._ended)

    def _answer_at_once(self, now: int) -> bool:
        """Settle some of what is here already, or not wanted at all; whether there was any."""
        off = self.mode == "off"
        known = self._store.attachments(now, AT_ONCE, done=None if off else True)
        for attachment in known:
            if off:
                self._settle(attachment, OFF)
            elif self._has(attachment):
                self._settle(attachment)
            else:
                self._store.save_attachment(replace(attachment, done=False, file_token="", path="", parts=None))
        return bool(known)

    def _has(self, attachment: Attachment) -> bool:
        uploaded = bool(attachment.file_token) and attachment.base == self._base
        return (uploaded or not self._uploads) and (not self._keeps or self._files.has(attachment.path))

    def _unwanted(self, kind: str, name: str, media_type: str = "") -> str:
        """Why a file of this kind is not fetched, as far as that is known beforehand; empty when it is."""
        extension = extension_of(name)
        media_type = media_type or mimetypes.guess_type(safe_name(name))[0] or ""  # It takes names for URLs.
        family = kind if kind == "image" else media_type.partition("/")[0]
        unknown = not media_type and not extension
        if unknown and kind == "image":
            wanted = any((one or "").startswith("image/") for one in self._media_types)
        else:
            wanted = unknown or extension in self._types or media_type in self._media_types
        if not self._types or wanted or {kind, family} & self._types:
            return ""
        return f"{extension or media_type or kind} 类文件不在 ATTACHMENT_TYPES 之内，未下载"

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._running[task.get_name()]
        self._wake.set()

    async def _work(self, attachment: Attachment) -> None:
        """Fetch one attachment; a failure is noted with when it is tried again."""
        try:
            try:
                await self._carry(attachment)
            except QuotaExhausted:
                self._for_budget = True
                self._wait(min(LONGEST_PAUSE, int(1000 * self._ledger.seconds_left)))
            except Unreachable as error:
                self._pause(error)
                await self._try_again(attachment, error, keep_parts=True)
            except ApiError as error:
                if error.code in media.FOR_PERSONS:
                    self._pause(error)
                else:
                    await self._try_again(attachment, error, keep_parts=error.passing)
            except StorageError:
                raise
            except Exception as error:  # An answer of a shape nobody foresaw must not end the program.
                logger.opt(exception=error).error("Attachment {} could not be fetched.", attachment.file_key)
                await self._try_again(attachment, error, keep_parts=False)
            else:
                self._failures, self._problem = 0, ""
        except StorageError as error:
            self._pause(error)

    async def _carry(self, attachment: Attachment) -> None:
        """All the way from the message to where it is wanted."""
        key, problem = attachment.file_key, ""
        if attachment.parts is None or not await to_thread(self._files.complete, key, attachment.size):
            fetched = await self._fetched(attachment)
            if fetched is None:
                await to_thread(self._files.discard, key)
                return
            attachment = fetched
        if self._uploads:
            try:
                token = await self._uploaded(attachment)
                attachment = replace(attachment, base=self._base, file_token=token)
            except ApiError as error:
                if error.code not in media.UNWELCOME:
                    raise
                problem = media.UNWELCOME[error.code]
        if self._keeps:
            month = datetime.fromtimestamp(self._clock() / 1000, self._settings.zone).strftime("%Y-%m")
            attachment = replace(attachment, path=await to_thread(self._files.keep, key, attachment.name, month))
        else:
            await to_thread(self._files.discard, key)
        self._settle(replace(attachment, done=not problem, parts=None), problem)

    async def _fetched(self, attachment: Attachment) -> Attachment | None:
        """The attachment, on this disk; None when nobody can have it, which they are told."""
        key, most = attachment.file_key, self._settings.attachment_max_mb
        to = self._files.partial(key)
        for message_id in self._store.attachment_messages(key):
            try:
                found = await media.download(self._api, message_id, key, attachment.kind, to, most=most << 20)
            except TooLarge:
                self._settle(attachment, f"文件超过 {most} MB (ATTACHMENT_MAX_MB)，未下载")
                return None
            except ApiError as error:
                if error.code not in media.UNOBTAINABLE:
                    raise
                self._settle(attachment, media.UNOBTAINABLE[error.code], message_id)
                continue
            break
        else:
            return None
        name = attachment.name or found.name or attachment.kind
        if not extension_of(name):
            name += mimetypes.guess_extension(found.media_type) or ""
        same = (found.size, found.checksum, self._base) == (attachment.size, attachment.checksum, attachment.base)
        attachment = replace(
            attachment,
            name=safe_name(name),
            size=found.size,
            checksum=found.checksum,
            media_type=found.media_type,
            parts=attachment.parts if same else None,
        )
        problem = self._unwanted(attachment.kind, name, found.media_type) if found.size else EMPTY
        if problem:
            self._settle(attachment, problem)
            return None
        return attachment

    async def _uploaded(self, attachment: Attachment) -> str:
        """The token under which the base has it."""
        path, image = self._files.partial(attachment.file_key), attachment.kind == "image"
        file = media.File(path, attachment.name, attachment.size, attachment.checksum, image)
        under_way = media.Parts(**attachment.parts) if attachment.parts else None

        def keep(parts: media.Parts) -> None:
            self._store.save_attachment(replace(attachment, base=self._base, parts=asdict(parts)))

        async with self._uploading:
            return await media.upload(self._api, self._base, file, parts=under_way, keep=keep, now=self._clock)

    def _settle(self, attachment: Attachment, problem: str = "", message_id: str | None = None) -> None:
        outcome = {
            "name": attachment.name,
            "size": attachment.size,
            "media_type": attachment.media_type,
            "file_token": attachment.file_token,
            "path": attachment.path,
            "problem": problem,
        }
        self._store.settle_attachment(replace(attachment, attempts=0, due=0), outcome, message_id=message_id)
        self._on_published()

    async def _try_again(self, attachment: Attachment, error: Exception, *, keep_parts: bool) -> None:
        attempts = attachment.attempts + 1
        lacking = isinstance(error, ApiError) and error.code in NOT_GRANTED  # Somebody may grant it at any time.
        if attempts >= MOST_ATTEMPTS and not lacking:
            logger.error("Attachment {} is given up: {}", attachment.file_key, error)
            self._problem = ""
            await to_thread(self._files.discard, attachment.file_key)
            self._settle(replace(attachment, parts=None), f"多次尝试后仍无法获取：{error}")
            return
        delay = min(LONGEST_RETRY, FIRST_RETRY * 2 ** min(attempts - 1, MOST_ATTEMPTS))
        logger.warning("Attachment {} waits {:.0f} min: {}", attachment.file_key, delay / 60_000, error)
        due = self._clock() + delay
        self._store.postpone_attachment(attachment.file_key, attempts, due, keep_parts=keep_parts)
        if attachment.file_key not in self._store.partial_attachments():  # Else the upload goes on with it.
            await to_thread(self._files.discard, attachment.file_key)

    def _pause(self, error: LarkflockError) -> None:
        """Nothing is tried for a while: what went wrong is not about one attachment."""
        if str(error) != self._problem:
            logger.error("Attachments wait: {}", error)
        self._problem = str(error)
        self._wait(min(LONGEST_PAUSE, FIRST_RETRY * 2 ** min(self._failures, 10)))
        self._failures += 1

    def _wait(self, delay: int) -> None:
        self._paused_at = self._clock()
        self._not_before = self._paused_at + delay

    def _calls_made(self) -> int:
        made = self._ledger.by_name
        return sum(made.get(name, 0) for name in media.OPERATIONS)

    async def _end(self) -> None:
        running = tuple(self._running.values())
        if running:
            await asyncio.wait(running, timeout=GRACE)
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        with contextlib.suppress(StorageError):
            await to_thread(self._files.tidy, self._store.partial_attachments())
