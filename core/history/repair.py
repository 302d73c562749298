"""Reads what was missed in one group, a page at a time, and puts it through the same door as everything pushed.

It spends no more than it may: messages and topics come before reactions, which are left unread when calls are short.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from loguru import logger

from ..errors import ApiError, Malformed, QuotaExhausted, Unreachable
from ..events import MESSAGE
from ..feishu import history, scopes
from ..feishu.history import Item, Page, Query
from ..feishu.ledger import Ledger
from ..feishu.transport import Api
from ..journal import Journal, admit
from ..pace import Pace
from ..storage.protocol import JournalHandle
from .as_pushed import as_pushed, happened, left_out, reaction_as_pushed
from .gaps import Window
from .habits import Habits

FOR_MESSAGES: Final = 2.9
"""Reserves of the pace that may be owed for messages and topics: what was said comes before what it costs."""
FOR_REACTIONS: Final = 2.4
MOST_FAILURES: Final = 5
"""Failures in a row after which reading goes on without what the platform could not answer."""
FORGOTTEN: Final = "older than what the journal remembers (JOURNAL_KEEP_DAYS)"


class Unaffordable(Exception):
    """The budget allows no further call now."""


@dataclass(slots=True)
class Account:
    """One group: what is still to be read of it, and what reading it has brought and cost."""

    window: Window | None = None
    last: int = 0
    """When it was last read to the end, ms UTC."""
    begun: bool = False
    """Reading has begun, and the next four are of what is being read; otherwise they are of the last reading."""
    found: int = 0
    """Events that had been missed."""
    missed: int = 0
    """Messages among them."""
    unread: int = 0
    """Messages whose reactions were not read."""
    calls: int = 0
    failures: int = 0
    not_before: int = 0
    """After a failure, ms UTC."""
    problem: str = ""


class Wanted(NamedTuple):
    """The reactions of a message, to be asked for."""

    query: Query
    tenant: str
    found: int
    """Where in the window the message was found, ms UTC."""


@dataclass(slots=True)
class _Reading:
    """Where the reading of a window is; what is lost at a restart only costs calls."""

    start: int
    end: int
    page: str = ""
    reached: int = 0


class Repair:
    """The reader, for the thread that owns ``known``."""

    def __init__(
        self,
        api: Api,
        journal: Journal,
        known: JournalHandle,
        habits: Habits,
        pace: Pace,
        ledger: Ledger,
        *,
        clock: Callable[[], int],
    ) -> None:
        self._api = api
        self._journal = journal
        self._known = known
        self._habits = habits
        self._pace = pace
        self._ledger = ledger
        self._clock = clock
        self._readings: dict[str, _Reading] = {}
        self._seen: dict[str, tuple[tuple[int, int], set[str]]] = {}
        """Topics read and messages whose reactions were wanted, of the window with this beginning and end."""
        self._wanted: dict[str, list[Wanted]] = {}
        """Reactions, which are asked for when they fill a call."""
        self._own: str | None = None
        self._spent = self._calls_made()
        self.left_out: dict[str, int] = {}
        """Messages found that no event was made of, by reason."""
        self.problem = ""
        """Why reactions cannot be read, or empty."""

    async def step(self, chat: str, account: Account) -> None:
        """Read one more page of ``account.window``, which is None when that was the last.

        Raises ``Unaffordable``, ``ApiFailure`` and ``StorageError``; then the same is to be read again.
        """
        window = account.window
        if window is None:
            return
        if window.deep and window.threads_since:
            topics = self._habits.topics(chat, window.threads_since)
            await self._topics_of(chat, topics, window, account, window.start)
            await self._read_reactions(chat, account, all_of_them=True)
            account.window = replace(window, threads_since=0)
            return
        reading = self._readings.get(chat)
        if reading is None or reading.reached != window.start:
            reading = self._readings[chat] = _Reading(window.start, window.end)
        self.afford(FOR_MESSAGES)
        page = await self._page(chat, reading, account)
        await self._take(page.items, account)
        if window.deep:
            topics = [str(item["thread_id"]) for item in page.items if item.get("thread_id")]
            first = min((sent for item in page.items if (sent := _sent(item))), default=window.start)
            await self._topics_of(chat, topics, window, account, first)
            self._want(chat, window, page.items, first)
            await self._read_reactions(chat, account, all_of_them=not page.next)
        reached = max((_sent(item) for item in page.items), default=window.start)
        account.window = self._after(chat, reading, window, page, max(window.start, reached))

    async def _page(self, chat: str, reading: _Reading, account: Account) -> Page:
        try:
            asked = history.said_in(self._api, chat, reading.start, reading.end, reading.page)
            return await self._counted(account, asked)  # type: ignore[no-any-return]
        except ApiError:
            del self._readings[chat]  # Page tokens may expire: the next attempt begins a new list where this one was.
            raise

    def _after(self, chat: str, reading: _Reading, window: Window, page: Page, reached: int) -> Window | None:
        """What is left of ``window`` behind a page."""
        if page.next and page.next != reading.page:
            reading.page = page.next
            reading.reached = min([reached, *(one.found for one in self._wanted.get(chat, ()))])
            return replace(window, start=reading.reached)
        del self._readings[chat]
        if reading.end < window.end:  # It grew meanwhile.
            return replace(window, start=reached)
        self._seen.pop(chat, None)
        self._wanted.pop(chat, None)
        return None

    async def missed(self, chat: str, since: int, until: int, account: Account) -> bool:
        """Whether somebody said something from ``since`` to ``until`` (ms) that did not arrive; one call."""
        self.afford(0.0)
        page = await self._counted(account, history.said_in(self._api, chat, since, until, newest_first=True))
        bodies = [body for item in page.items if since < _sent(item) <= until for body in await self._events(item)]
        return bool(self._fresh(bodies))

    def afford(self, depth: float) -> None:
        """Raise ``Unaffordable`` when more than ``depth`` reserves of the pace are owed, or the month is used up."""
        self._pace.earn(self._clock() / 1000, self._ledger.left, self._ledger.seconds_left)
        if self._ledger.left <= 0 or self._pace.saved <= -depth * self._pace.reserve:
            raise Unaffordable

    async def _topics_of(self, chat: str, topics: Iterable[str], window: Window, account: Account, found: int) -> None:
        seen = self._seen_in(chat, window)
        for topic in topics:
            if topic not in seen:
                self._want(chat, window, await self._topic(topic, window, account), found)
                seen.add(topic)

    def _seen_in(self, chat: str, window: Window) -> set[str]:
        """What needs not be read again; once the window has grown, topics may have gone on."""
        span = (window.since, window.end)
        if chat not in self._seen or self._seen[chat][0] != span:
            self._seen[chat] = (span, set())
        return self._seen[chat][1]

    async def _topic(self, topic: str, window: Window, account: Account) -> list[Item]:
        """What was said in a topic since the window began; the platform lists topics without a time (§4.2)."""
        found: list[Item] = []
        page = ""
        while True:
            self.afford(FOR_MESSAGES)
            try:
                answer = await self._counted(account, history.said_under(self._api, topic, page))
            except ApiError as error:
                if _may_pass(error, account) or error.code == history.BOT_IS_OUT or error.code in scopes.NOT_GRANTED:
                    raise
                self._leave_out(f"a topic that cannot be read ({error.code})")
                return []
            recent = [item for item in answer.items if _sent(item) >= window.since]
            found += recent
            if len(recent) < len(answer.items) or answer.next in ("", page):
                break
            page = answer.next
        await self._take(found[::-1], account)
        return found

    async def _take(self, items: Sequence[Item], account: Account) -> None:
        if self._own is None and any(item.get("mentions") for item in items):
            try:
                self._own = await self._counted(account, history.own_open_id(self._api))
            except ApiError as error:
                if _may_pass(error, account):
                    raise
                logger.warning("Mentions of the bot cannot be told from those of people: {}", error)
                self._own = ""
        await self._append([body for item in items for body in await self._events(item)], account)

    async def _events(self, item: Item) -> list[bytes]:
        reason = left_out(item)
        if not reason:
            try:
                return as_pushed(item, {*self._habits.bots, self._own or ""})
            except Malformed as problem:
                reason = str(problem)
        self._leave_out(reason)
        return []

    def _want(self, chat: str, window: Window, items: Iterable[Item], found: int) -> None:
        """Have the reactions of messages read; those of a recalled one cannot be (231018)."""
        wanted, seen = self._wanted.setdefault(chat, []), self._seen_in(chat, window)
        for item in items:
            message_id = str(item.get("message_id"))
            if item.get("deleted") is not True and message_id not in seen:
                seen.add(message_id)
                wanted.append(Wanted(Query(message_id), _tenant(item), found))

    async def _read_reactions(self, chat: str, account: Account, *, all_of_them: bool) -> None:
        """Ask for the reactions that are wanted, in full calls, and for the rest when that is all."""
        wanted = self._wanted.get(chat, [])
        while len(wanted) >= (1 if all_of_them else history.QUERIES_PER_CALL):
            asked = wanted[: history.QUERIES_PER_CALL]
            about = {one.query.message_id: one for one in asked}
            try:
                self.afford(FOR_REACTIONS)
                answer = await self._counted(account, history.reactions(self._api, [one.query for one in asked]))
            except (Unaffordable, ApiError) as error:
                if isinstance(error, ApiError) and _may_pass(error, account):
                    raise
                account.unread += len(wanted)
                wanted.clear()
                if isinstance(error, ApiError):
                    self.problem = str(error)
                break
            self.problem = ""
            bodies = []
            for message_id, item in answer.found:
                try:
                    bodies.append(reaction_as_pushed(message_id, item, about[message_id].tenant))
                except (Malformed, KeyError) as problem:
                    self._leave_out(f"a reaction: {problem}")
            await self._append(bodies, account)  # Before they are crossed off: the next call may fail.
            more = [about[query.message_id]._replace(query=query) for query in answer.more if query.message_id in about]
            wanted[: len(asked)] = [one for one in more if one not in asked]

    async def _append(self, bodies: Sequence[bytes], account: Account) -> None:
        fresh = self._fresh(bodies)
        await self._journal.append([body for body, _ in fresh])
        account.found += len(fresh)
        account.missed += sum(kind == MESSAGE for _, kind in fresh)

    def _fresh(self, bodies: Sequence[bytes]) -> list[tuple[bytes, str]]:
        """Those that the journal does not have, with their types.

        Of what is older than its memory nobody knows whether it was handled: that is left out, not counted twice.
        """
        now, forgot = self._clock(), self._known.forgot_until()
        kept = [body for body in bodies if happened(body) > forgot or forgot > now]
        for _ in range(len(bodies) - len(kept)):
            self._leave_out(FORGOTTEN)
        records = {record.key: record for record in (admit(body, now) for body in kept)}
        there = self._known.known(list(records))
        return [(record.body, record.type) for key, record in records.items() if key not in there]

    async def _counted(self, account: Account, call: Any) -> Any:
        """The answer of ``call``; what it cost is on the account, also when it fails."""
        try:
            return await call
        except QuotaExhausted:
            raise Unaffordable from None
        except (KeyError, TypeError, ValueError) as error:
            raise Unreachable(f"an answer of an unknown shape: {error!r}") from error
        finally:
            made = self._calls_made()
            spent, self._spent = max(0, made - self._spent), made  # A new month begins at 0.
            self._pace.spend(spent)
            account.calls += spent

    def _calls_made(self) -> int:
        made = self._ledger.by_name
        return sum(made.get(name, 0) for name in history.OPERATIONS)

    def _leave_out(self, reason: str) -> None:
        self.left_out[reason] = self.left_out.get(reason, 0) + 1


def _may_pass(error: ApiError, account: Account) -> bool:
    """Whether the same is to be asked again: what the platform could not answer just now is no answer."""
    return error.of_app or (error.passing and account.failures < MOST_FAILURES)


def _tenant(item: Item) -> str:
    sender = item.get("sender")
    return str(sender.get("tenant_key") or "") if isinstance(sender, dict) else ""


def _sent(item: Item) -> int:
    """When a message was sent, ms UTC; 0 where it does not say."""
    at = str(item.get("create_time"))
    return int(at) if at.isascii() and at.isdecimal() else 0
