"""Notices when something may have been missed, and has it read: after being away, and when a silence is not real.

What is owed is stored before anything else is, so that a crash at any point loses no gap. It decides when; ``gaps``
decides how much, ``repair`` reads.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection
from dataclasses import asdict
from typing import Any, Final, Protocol
from zoneinfo import ZoneInfo

import orjson
from loguru import logger

from ..errors import ApiError, ApiFailure, LarkflockError, StorageError
from ..feishu import history, scopes
from ..feishu.ledger import Ledger
from ..feishu.transport import Api
from ..groups import Groups
from ..journal import Journal
from ..pace import Pace
from ..status import ConnectionStatus, GroupHistory, HistoryStatus
from ..storage.protocol import Engine, StoreHandle
from .gaps import (
    HEARD,
    HOUR,
    MINUTE,
    NOTED_EVERY,
    SECOND,
    SHORTEST_LOOK_BACK,
    Gap,
    Window,
    deepened,
    merged,
    reaching,
    window,
)
from .gaps import history as whole
from .habits import Habits
from .repair import Account, Repair, Unaffordable
from .silence import Silence

SHARE: Final = 0.1
"""The part of the month's calls that reading history may use."""
ACCOUNTS: Final = "history"
LOOK: Final = MINUTE
"""ms between two looks at the journal and at silences."""
KEPT_EVERY: Final = 10 * MINUTE
SETTLED: Final = 10 * MINUTE
"""ms that a connection must have lasted before a silence on it says anything."""
UNDER_WAY: Final = MINUTE
"""ms that a push may take; a younger message is not missed yet."""
FOR_BUDGET: Final = MINUTE
"""ms until it is looked again whether there are calls."""
FIRST_RETRY: Final = 30 * SECOND
LONGEST_RETRY: Final = HOUR
DEAF: Final = (
    "messages are written but not pushed: check in the developer console that im.message.receive_v1 is subscribed over "
    "the long connection and im:message.group_msg granted, and that no other program uses this app"
)


class Connection(Protocol):
    """The long connection as far as it matters here."""

    def status(self) -> ConnectionStatus: ...

    def reconnect(self, reason: str) -> None: ...


class Backfill:
    """The watch over gaps, for one event loop."""

    def __init__(
        self,
        api: Api,
        engine: Engine,
        store: StoreHandle,
        journal: Journal,
        connection: Connection,
        groups: Groups,
        ledger: Ledger,
        *,
        zone: ZoneInfo,
        clock: Callable[[], int],
        since: int | None = None,
        chats: Collection[str] = (),
        tick: float = 1.0,
    ) -> None:
        self._store = store
        self._journal = journal
        self._connection = connection
        self._groups = groups
        self._clock = clock
        self._since = since
        self._tick = tick
        self._known = engine.journal()
        self._habits = Habits(self._known, store, zone, chats)
        self._pace = Pace(ledger.quota, SHARE)
        self._repair = Repair(api, journal, self._known, self._habits, self._pace, ledger, clock=clock)
        self._silence = Silence()
        noted = store.note(HEARD)
        self._heard = int(noted) if noted else None
        """When a frame last came, as long as nothing before that is owed to nobody, ms UTC."""
        self._noted = self._heard or 0
        self._session: int | None = None
        self._interrupted = False
        self._accounts = _restored(store.note(ACCOUNTS))
        self._looked = self._kept = clock()
        self._not_before = 0
        self._failures = 0
        self._checks = 0
        self.turns = 0
        """How often it has looked how things are."""
        self._deaf_at: int | None = None
        self._for_budget = False
        self._problem = ""

    async def run(self) -> None:
        """Watch until cancelled."""
        try:
            while True:
                worked = False
                try:
                    worked = await self._turn()
                except (StorageError, ApiFailure) as error:
                    self._postpone(error)
                except Exception as error:  # An answer of a shape nobody foresaw must not end the program.
                    logger.opt(exception=error).error("The history could not be read.")
                    self._postpone(error)
                self.turns += 1
                await asyncio.sleep(0 if worked else self._tick)
        finally:
            with contextlib.suppress(StorageError):
                self._remember(self._clock(), at_once=True)

    def close(self) -> None:
        """Give its handle on the journal back."""
        self._known.close()

    @property
    def busy(self) -> bool:
        """Whether something is being read, or will be at once; what waits for calls or better times does not count."""
        now = self._clock()
        if self._paused(now):
            return False
        if self._session is None and self._connection.status().phase == "connected":
            return self._heard is not None or self._since is not None
        return any(_due(account, now) for account in self._accounts.values())

    def status(self) -> HistoryStatus:
        """How it is; callable from any thread."""
        accounts = self._accounts.copy()
        for chat in tuple(self._habits.groups):
            accounts.setdefault(chat, Account())
        groups = tuple(self._told(chat, account) for chat, account in accounts.items())
        deaf, problem = DEAF if self._deaf_at is not None else "", self._problem or self._repair.problem
        return HistoryStatus(groups, self._for_budget, dict(self._repair.left_out), self._checks, deaf, problem)

    def _told(self, chat: str, account: Account) -> GroupHistory:
        mark = account.window.start if account.window else self._heard
        return GroupHistory(
            chat,
            mark,
            account.window is not None,
            account.last or None,
            account.found,
            account.unread,
            account.calls,
            account.problem,
        )

    async def _turn(self) -> bool:
        """Everything once; whether there is more to be done at once."""
        now = self._clock()
        if self._paused(now):
            return False
        status = self._connection.status()
        if status.phase == "connected" and status.connected_since is not None:
            await self._notice(status, status.connected_since, now)
        due = [chat for chat, account in self._accounts.items() if _due(account, now)]
        if due or not 0 <= now - self._looked < LOOK:
            await self._look(status, now)
        for chat in due:
            await self._read(chat, self._accounts[chat])
        self._remember(now)
        self._failures, self._problem = 0, ""
        return bool(due)

    def _paused(self, now: int) -> bool:
        return self._not_before - LONGEST_RETRY <= now < self._not_before

    async def _notice(self, status: ConnectionStatus, began: int, now: int) -> None:
        """A new session of the connection ends a gap; until that is stored, nothing counts as heard.

        What the journal cannot store is not heard either: the platform pushes it again, but not for ever.
        """
        if self._journal.status({}).problem:
            self._interrupted = True
            return
        if began != self._session or self._interrupted:
            starting, end = self._session is None, now if self._interrupted else began
            if self._since is not None:
                since = self._since
                await self._owe(lambda *_: whole(since, now))
                self._since = None
            if self._heard is not None:
                await self._owe_gap(await self._gap(self._heard, end), now, starting=starting)
            self._session, self._interrupted = began, False
        self._heard = max(began, status.last_frame or 0)
        if self._deaf_at is not None and (status.last_event or 0) > self._deaf_at:
            self._deaf_at = None

    async def _gap(self, heard: int, end: int) -> Gap:
        """Where ``heard`` lies in the future the clock was put back, and the platform's own times have to do."""
        if heard <= end:
            return Gap(heard, end)
        await self._learn()
        return Gap(max((habit.last for habit in self._habits.groups.values() if habit.last <= end), default=end), end)

    async def _owe_gap(self, gap: Gap, now: int, *, starting: bool) -> None:
        await self._learn(before=gap.end)  # What was said last, before and not after it.

        def missed(chat: str, account: Account) -> Window:
            habit = self._habits.groups.get(chat)
            return reaching(window(gap, now, account.last, starting=starting), habit.last if habit else 0)

        await self._owe(missed)

    async def _owe(self, wanted: Callable[[str, Account], Window]) -> None:
        """Every watched group is to be read, and no other; stored before anything is."""
        watched = dict.fromkeys(await self._groups.watched())
        if not self._groups.chosen:  # The bot may have joined some since it was asked; those it left say so.
            watched |= dict.fromkeys(self._habits.groups)
        accounts = {chat: self._accounts.get(chat) or Account() for chat in watched}
        for chat, account in accounts.items():
            account.window = merged(account.window, wanted(chat, account))
        self._accounts = accounts
        self._save()

    async def _look(self, status: ConnectionStatus, now: int) -> None:
        """Learn from what has come, and whether silences are real."""
        await self._learn()
        lasted = now - (status.connected_since or now) if status.phase == "connected" else 0
        if 0 < now - self._looked <= lasted:
            self._habits.spend(self._looked, now)
        self._looked = now
        if lasted >= SETTLED and not any(_due(account, now) for account in self._accounts.values()):
            await self._doubt(now)

    async def _learn(self, before: int | None = None) -> None:
        more = True
        while more:
            more = self._habits.catch_up(before)
            await asyncio.sleep(0)

    async def _doubt(self, now: int) -> None:
        """Ask the platform about the group whose silence is the most unusual, if one's is."""
        chat = self._silence.suspicious(self._habits.groups, now)
        if chat is None:
            return
        habit = self._habits.groups[chat]
        account = self._accounts.setdefault(chat, Account())
        try:
            missed = await self._repair.missed(chat, habit.last, now - UNDER_WAY, account)
            account.problem = ""
        except Unaffordable:
            return
        except ApiError as error:
            if error.passing:
                raise
            if error.code == history.BOT_IS_OUT:  # As it should be silent then.
                del self._habits.groups[chat], self._accounts[chat]
                return
            account.problem, missed = str(error), False
        self._checks += 1
        self._silence.checked(chat, habit, now, missed=missed)
        if missed:
            logger.warning("Messages were written in {} but not pushed; connecting anew and reading them.", chat)
            heard = self._connection.status().last_event or habit.last
            gap = Gap(min(heard, now), now)
            await self._owe(lambda _, each: deepened(window(gap, now, each.last, starting=False), now))
            account.window = merged(account.window, whole(habit.last - SHORTEST_LOOK_BACK, now))
            self._save()
            self._deaf_at = now
            self._connection.reconnect("pongs came but no events, although messages were written")

    async def _read(self, chat: str, account: Account) -> None:
        """One more page of a group."""
        before, now = account.window, self._clock()
        if not account.begun:
            account.begun = True
            account.found = account.missed = account.unread = account.calls = 0
        try:
            await self._repair.step(chat, account)
        except Unaffordable:
            self._for_budget = True
            account.not_before = now + FOR_BUDGET
            return
        except ApiFailure as error:
            self._failed(chat, account, error, now)
        else:
            self._for_budget = False
            account.failures, account.problem = 0, ""
        if account.window is None and before is not None and not account.problem:
            self._finish(chat, account, before, now)
        self._save()

    def _finish(self, chat: str, account: Account, read: Window, now: int) -> None:
        if account.missed and not read.deep:
            account.window = deepened(read, now)
            return
        account.last, account.begun = now, False
        if account.found:
            logger.info("{}: {} missed events were read with {} calls.", chat, account.found, account.calls)

    def _failed(self, chat: str, account: Account, error: ApiFailure, now: int) -> None:
        code = error.code if isinstance(error, ApiError) else 0
        if account.problem != str(error):
            logger.warning("The history of {} cannot be read: {}", chat, error)
        account.problem = str(error)
        if code == history.BOT_IS_OUT:
            account.window, account.begun = None, False
            self._habits.groups.pop(chat, None)
            return
        account.failures += 1
        delay = LONGEST_RETRY if code in scopes.NOT_GRANTED else FIRST_RETRY * 2 ** min(account.failures - 1, 7)
        account.not_before = now + min(LONGEST_RETRY, delay)

    def _remember(self, now: int, *, at_once: bool = False) -> None:
        if self._heard is not None and (at_once or abs(self._heard - self._noted) >= NOTED_EVERY):
            self._store.set_note(HEARD, str(self._heard))
            self._noted = self._heard
        if at_once or not 0 <= now - self._kept < KEPT_EVERY:
            self._habits.keep()
            self._kept = now

    def _save(self) -> None:
        accounts = {chat: asdict(account) for chat, account in self._accounts.items()}
        self._store.set_note(ACCOUNTS, orjson.dumps(accounts).decode())

    def _postpone(self, error: Exception) -> None:
        if str(error) != self._problem:
            logger.error("The history cannot be read: {}", error)
        self._problem = str(error) if isinstance(error, LarkflockError) else f"{type(error).__name__}: {error}"
        self._failures += 1
        self._not_before = self._clock() + min(LONGEST_RETRY, FIRST_RETRY * 2 ** min(self._failures - 1, 7))


def _due(account: Account, now: int) -> bool:
    """Whether there is something to be read now; a clock that was put back must not make it wait for the old time."""
    waits = account.not_before - LONGEST_RETRY <= now < account.not_before
    return account.window is not None and account.window.due <= now and not waits


def _restored(noted: str | None) -> dict[str, Account]:
    accounts: dict[str, Account] = {}
    for chat, kept in (orjson.loads(noted) if noted else {}).items():
        fields: dict[str, Any] = {**kept, "failures": 0, "not_before": 0}
        if fields["window"] is not None:
            fields["window"] = Window(**fields["window"])
        accounts[chat] = Account(**fields)
    return accounts
