"""What the platform has to be asked for: forwarded messages, edited ones, the names of groups.

Nothing waits for an answer: the archive has its row already, and asking goes on until there is one, or none to be had.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from core import ApiError, ApiFailure, Context, QuotaExhausted

from .agenda import Agenda
from .tables import FETCH_AGENDA, FETCHES

FETCH: Final = Agenda(FETCH_AGENDA, "fetch")

MESSAGE: Final = "message"
GROUP: Final = "group"

MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
LONGEST: Final = 6 * HOUR
PATIENCE: Final = 7 * 24 * HOUR
"""ms after which something that keeps failing is given up."""
REFUSED: Final = frozenset({230001, 230002, 230004, 230011, 230050, 230073, 230074, 230110, 230111, 231203, 232011})
"""The platform will not say it later either (FEISHU.md §4)."""

Answer = dict[str, Any]
Found = Callable[[str, str, Answer, Context[Any]], Awaitable[None]]
"""What is done with an answer: kind, subject, the answer's ``data``."""
GivenUp = Callable[[str, str, str, Context[Any]], None]
"""What is done without one: kind, subject, why."""


def ask(ctx: Context[Any], kind: str, subject: str, *, at: int) -> None:
    """Ask for a message or a group at ``at`` (ms UTC), or before if that is planned already."""
    fetches = ctx.table(FETCHES)
    before = fetches.get(subject)
    if before is not None and before["at"] <= at:
        return
    FETCH.put(ctx, subject, at, before["at"] if before is not None else None)
    fetches.set(subject, kind=kind, at=at)


async def fetch(subject: str, ctx: Context[Any], found: Found, given_up: GivenUp) -> int | None:
    """Ask now; when to ask again (ms UTC), or None when that is over."""
    fetches = ctx.table(FETCHES)
    wanted = fetches.get(subject)
    if wanted is None:
        return None
    kind = wanted["kind"]
    try:
        answer = await ctx.call(_request(kind, subject))
    except ApiFailure as error:
        now = ctx.now()
        spent = isinstance(error, QuotaExhausted)
        since = None if spent else wanted["since"] or now  # Waiting for a new month is no failing.
        refused = isinstance(error, ApiError) and error.code in REFUSED
        if refused or (since is not None and now - since >= PATIENCE):
            ctx.log.warning("{kind} {id} is not asked for any more: {error}", kind=kind, id=subject, error=error)
            fetches.delete(subject)
            given_up(kind, subject, str(error), ctx)
            return None
        attempts = wanted["attempts"] + (not spent)
        again = now + (HOUR if spent else min(LONGEST, MINUTE * 4**attempts))
        fetches.set(subject, at=again, since=since, attempts=attempts)
        return int(again)
    fetches.delete(subject)
    await found(kind, subject, answer, ctx)
    return None


def items(answer: Answer) -> Sequence[dict[str, Any]]:
    """The messages of an answer; a merged forward comes with its children."""
    given = answer.get("items")
    return [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []


def _request(kind: str, subject: str) -> Any:
    from lark_oapi.api.im.v1 import GetChatRequest, GetMessageRequest

    if kind == GROUP:
        return GetChatRequest.builder().chat_id(subject).build()
    return GetMessageRequest.builder().message_id(subject).user_id_type("open_id").build()
