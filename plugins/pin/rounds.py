"""A round: look at the pins of every group, read the messages of new ones, tell the group.

It is done in slices, each stored whole when its hook returns, so a restart goes on where the last slice ended. What
fails in one group never stops the others, and nothing that fails ever means "no pins".
"""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qs, urlsplit

from core import ApiError, Context, Malformed, QuotaExhausted, Row, Unreachable

from . import polling
from .announcing import announce
from .calls import BOT_AWAY, NOT_GRANTED, RECALLED, UNREADABLE, list_pins, read_message, too_often
from .changes import PAGE, Changes, Pin, compare
from .content import RECALLED_TEXT, Content, content_of, link_of, local, people_in
from .rows import note_content, note_unpinned
from .settings import Watching
from .tables import GROUPS, KNOWN, PIN, PINNED, UNPINNED

SLICE: Final = 20
"""API calls after which a slice ends: the plugin's events wait meanwhile."""
FRESH: Final = 24 * 3600 * 1000
"""ms after which a new pin is no news any more."""
KEPT: Final = 9 * 24 * 3600 * 1000
"""ms for which a pin taken off is remembered: the weekly audit counts it."""
RARELY: Final = 12 * 3600 * 1000
"""ms to the next try with a group that the bot is not in."""
MOST_TRIES: Final = 8
"""Rounds after which a message that cannot be read for no known reason is given up."""
FIRST_PAUSE: Final = 60_000
"""ms to wait when the platform is called too often; doubled each time."""


class Round:
    """One slice of a round."""

    def __init__(self, ctx: Context[Watching]) -> None:
        self._ctx = ctx
        self._calls = 0
        self._known = ctx.table(KNOWN)
        self._groups = ctx.table(GROUPS)
        self._pins = ctx.table(PIN)

    async def go_on(self) -> int:
        """Do what one slice may; when to go on (ms UTC)."""
        ctx = self._ctx
        todo = ctx.state.get("todo") or await self._begin()
        pause = 0
        try:
            while todo and self._calls < SLICE:
                if await self._visit(todo[0]):
                    todo.pop(0)
                    ctx.state.set("looked", "")
        except QuotaExhausted as error:
            pause = round(1000 * min(polling.LONGEST, max(polling.SHORTEST, ctx.budget().seconds_left)))
            ctx.log.warning("Pins are not looked for until there are API calls again: {error}", error=error)
        except ApiError as error:
            limited = ctx.state.get("limited", 0)
            pause = min(FIRST_PAUSE << min(limited, 10), round(polling.LONGEST * 1000))
            ctx.state.set("limited", limited + 1)
            ctx.log.warning("Pins are looked for again in {wait} s: {error}", wait=pause // 1000, error=error)
        ctx.state.set("todo", todo)
        if todo or pause:
            return ctx.now() + pause
        return ctx.now() + self._end()

    async def _begin(self) -> list[str]:
        groups = list(dict.fromkeys(await self._ctx.groups()))
        self._ctx.state.set("groups", groups)
        self._ctx.state.set("began", self._ctx.now())
        self._ctx.state.set("looked", "")
        return groups

    def _end(self) -> int:
        """Ms to the next round."""
        ctx, wanted = self._ctx, self._ctx.config.interval
        ctx.state.set("limited", 0)
        rows = [self._groups.get(chat_id) for chat_id in ctx.state.get("groups")]
        calls = polling.usual_calls([row["pages"] or 1 for row in rows if row is not None])
        budget = ctx.budget()
        seconds = polling.interval(calls, budget.quota, budget.left, budget.seconds_left, wanted)
        if wanted is not None and not ctx.state.get("warned"):
            ctx.state.set("warned", True)
            if (cost := polling.monthly(calls, wanted)) > budget.quota:
                ctx.log.warning(
                    "PIN_MONITOR_INTERVAL={wanted} costs about {cost} API calls a month and API_MONTHLY_QUOTA is "
                    "{quota}: once half of them are used, pins are looked for less often; unset it, or make it longer",
                    wanted=wanted,
                    cost=cost,
                    quota=budget.quota,
                )
        return round(seconds * 1000)

    async def _visit(self, chat_id: str) -> bool:
        """Whether all is done for this group in this round; False when the slice ended before."""
        row = self._groups.get(chat_id)
        if row is not None and 0 < (row["rest_until"] or 0) - self._ctx.now() <= RARELY:
            return True
        try:
            if not await self._look(chat_id) or not await self._read(chat_id):
                return False
        except ApiError as error:
            if too_often(error):
                raise
            self._trouble(chat_id, error, f"{error.code} {error.msg}", rest=error.code in BOT_AWAY)
            return True
        except (Malformed, Unreachable) as error:
            self._calls = SLICE  # Trying in vain may have taken most of the time there is.
            self._trouble(chat_id, error, type(error).__name__)
            return True
        self._well(chat_id)
        await announce(self._ctx, chat_id, since=self._ctx.now() - FRESH)
        return True

    async def _look(self, chat_id: str) -> bool:
        """Learn what changed among the group's pins; False when the slice ended before."""
        ctx = self._ctx
        if ctx.state.get("looked") == chat_id:
            return True
        row = self._groups.get(chat_id) or self._groups.set(chat_id)
        below = row["below"]
        if below is None:
            deep = row["stale"] or polling.deep_is_due(row["rounds"], row["deep_at"], ctx.now())
            row = self._groups.set(chat_id, deep=int(deep), since=ctx.now(), stale=0)
        while True:
            self._calls += 1
            page = await list_pins(ctx, chat_id, below)
            changes = compare(self._standing(chat_id), page, below)
            self._apply(chat_id, changes, based=bool(row["based"]))
            if below is None and len(changes.added) == len(page.pins):  # More may be new than one page shows.
                row = self._groups.set(chat_id, deep=1)
            below = page.following(below)
            if below is None or not row["deep"]:
                break
            self._groups.set(chat_id, below=below)
            if self._calls >= SLICE:
                return False
        self._looked(chat_id, row, whole=below is None)
        return True

    def _looked(self, chat_id: str, row: Row, *, whole: bool) -> None:
        standing = self._standing(chat_id)
        pages = max(1, -(-(len(standing) - 1) // (PAGE - 1)))
        if whole:
            if not row["based"]:
                self._drop_strangers(chat_id, {pin.message_id for pin in standing})
            done = {"based": 1, "deep_at": row["since"], "rounds": 0}
        else:
            done = {"rounds": row["rounds"] + 1}
        self._groups.set(chat_id, below=None, deep=0, pages=pages, **done)
        self._ctx.state.set("looked", chat_id)
        before = self._ctx.now() - KEPT
        for known in self._known.find(chat_id=chat_id):
            if known["removed"] is not None and known["removed"] < before:
                self._known.delete(chat_id, known["message_id"], known["time"])

    def _standing(self, chat_id: str) -> list[Pin]:
        """The pins known that were not taken off."""
        rows = self._known.find(chat_id=chat_id)
        return [Pin(row["message_id"], row["time"], row["operator"]) for row in rows if row["removed"] is None]

    def _apply(self, chat_id: str, changes: Changes, *, based: bool) -> None:
        ctx, now = self._ctx, self._ctx.now()
        again = {pin.message_id for pin in changes.added}
        for pin in changes.removed:
            self._known.set(chat_id, pin.message_id, pin.time, removed=now, unread=0, announce=0)
            self._publish("pin.removed", pin)
            if pin.message_id not in again:
                note_unpinned(ctx, pin.message_id)
        for pin in changes.added:
            row = self._pins.get(pin.message_id)
            self._known.set(
                *(chat_id, pin.message_id, pin.time),
                operator=pin.operator,
                removed=None,
                unread=int(row is None or not row["content"]),
                announce=int(based and ctx.config.announce and pin.time >= now - FRESH),
            )
            self._pins.set(
                pin.message_id,
                operator_id=pin.operator,
                pinned=local(pin.time, ctx.timezone),
                link=link_of(chat_id, pin.message_id),
                archived=(row["archived"] if row is not None else "") or local(now, ctx.timezone),
                status=PINNED,
                unpinned="",
            )
            self._publish("pin.added", pin)

    def _publish(self, event_type: str, pin: Pin) -> None:
        event = {"message_id": pin.message_id, "pin_time": str(pin.time)}
        self._ctx.publish(event_type, f"{pin.message_id}:{pin.time}", event)

    def _drop_strangers(self, chat_id: str, standing: set[str]) -> None:
        """Rows of a table taken over whose message is pinned no longer."""
        for row in self._pins.scan():
            stands = row["message_id"] in standing or row["status"] == UNPINNED
            if not stands and chat_id in parse_qs(urlsplit(row["link"]).query).get("openChatId", ()):
                note_unpinned(self._ctx, row["message_id"])

    async def _read(self, chat_id: str) -> bool:
        """Ask for the messages of new pins; False when the slice ended before."""
        began, now = self._ctx.state.get("began"), self._ctx.now()
        unread = [
            row
            for row in self._known.find(chat_id=chat_id)
            if row["unread"] and not began <= (row["tried"] or 0) <= now  # Later than now a wrong clock tried it.
        ]
        for row in sorted(unread, key=lambda row: (row["tries"], -row["time"])):
            if self._calls >= SLICE:
                return False
            self._calls += 1
            key = (chat_id, row["message_id"], row["time"])
            try:
                content = await self._content(row["message_id"])
            except (ApiError, Malformed, Unreachable) as error:
                given_up = self._given_up(error, row["tries"] + 1)
                if given_up is None:
                    self._known.set(*key, tries=row["tries"] + 1, tried=self._ctx.now())
                    if isinstance(error, Unreachable):
                        break
                    continue
                content = given_up
            self._known.set(*key, unread=0)
            note_content(self._ctx, row["message_id"], content)
        return True

    async def _content(self, message_id: str) -> Content:
        items = await read_message(self._ctx, message_id)
        people = people_in(items[1:])
        return content_of(items, await self._ctx.names(people) if people else {}, self._ctx.timezone)

    def _given_up(self, error: Exception, tries: int) -> Content | None:
        """What stands in the row of a message that will never be read, or None; raises what is not the message's."""
        if isinstance(error, Unreachable):  # That says nothing of the message.
            return None
        code = error.code if isinstance(error, ApiError) else 0
        if isinstance(error, ApiError) and (too_often(error) or code in BOT_AWAY or code in NOT_GRANTED):
            raise error
        if code in RECALLED:
            return Content("", RECALLED_TEXT, "", None, recalled=True)
        if code in UNREADABLE or tries >= MOST_TRIES:
            self._ctx.log.warning("A pinned message is archived without its content: {error}", error=error)
            return Content("", f"［内容无法读取{f'：{code}' if code else ''}］", "", None)
        return None

    def _trouble(self, chat_id: str, error: Exception, kind: str, *, rest: bool = False) -> None:
        """Leave the group as it is, until the next round or for a long while; say so once."""
        row = self._groups.get(chat_id)
        if row is None or row["problem"] != kind:
            again = "its pins stay as they are, tried again twice a day" if rest else "tried again in the next round"
            self._ctx.log.warning(
                "The pins of group {group} cannot be read, {again}: {error}", group=chat_id, again=again, error=error
            )
        self._groups.set(chat_id, problem=kind, rest_until=self._ctx.now() + RARELY if rest else None)

    def _well(self, chat_id: str) -> None:
        row = self._groups.get(chat_id)
        if row is not None and row["problem"]:
            self._groups.set(chat_id, problem="", rest_until=None)
            self._ctx.log.info("The pins of group {group} can be read again.", group=chat_id)
