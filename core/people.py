"""Who people are: names from the contact API, looked up in batches, kept for 24 hours; never one call per message."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from loguru import logger

from .errors import ApiError, ApiFailure
from .feishu import contact
from .feishu.transport import Api
from .storage.protocol import StoreHandle
from .table import Table

LIFETIME: Final = 24 * 3600 * 1000
"""ms for which a name, or that there is none to see, is believed."""
AGED: Final = LIFETIME // 2
"""ms after which a name is looked up anew when a call for others has room for it: one call a day then does for all."""
APP_NAME: Final = "机器人"
"""What an app is called: the contact API knows people only."""
PAUSE: Final = 600 * 1000
"""ms after a failed call before the next one, and twice as long after each that follows: names must not cost more calls
than rows, and what is refused for good next to none."""
LONGEST_PAUSE: Final = 6 * 3600 * 1000
MOST_HALVES: Final = 12
"""Further calls for 50 people of whom the platform does not know some: as many as it takes to find one."""

Uses = Sequence[tuple[str, Table, str]]
"""(plugin, table, column of open_ids) of every mirrored column that shows names."""


class People:
    """The directory of people seen so far."""

    def __init__(self, api: Api, store: StoreHandle, uses: Callable[[], Uses], *, clock: Callable[[], int]) -> None:
        self._api = api
        self._store = store
        self._uses = uses
        self._clock = clock
        self._missed: dict[str, None] = {}
        self._not_before = 0
        self._failures = 0
        """Calls in a row that failed."""
        self.problem = ""
        """Why the last call failed, or empty."""

    async def learn(self, open_ids: Sequence[str]) -> None:
        """Look up those of ``open_ids`` whose name is unknown or old; on a failure the old names stay.

        After a failure nobody is looked up for a while; those it concerned are looked up with the next ones.
        """
        now = self._clock()
        known = self._store.people(open_ids)
        wanted = [one for one in open_ids if one not in known or abs(now - known[one][1]) >= LIFETIME]
        names = {one: APP_NAME for one in wanted if not one.startswith(contact.PERSON_ID)}
        wanted = [one for one in wanted if one not in names]
        if self._not_before - LONGEST_PAUSE <= now < self._not_before:  # A clock that was put back ends the pause.
            self._missed.update(dict.fromkeys(wanted))
        else:
            names.update(await self._looked_up(list(dict.fromkeys([*wanted, *self._missed])), now))
        if names:
            self._store.save_people(names, now, self._uses())

    async def _looked_up(self, wanted: list[str], now: int) -> dict[str, str]:
        """The names of ``wanted``, empty where there is none to see; those not reached are ``_missed``."""
        if wanted:
            room = -len(wanted) % contact.MOST_PER_CALL
            wanted = list(dict.fromkeys([*wanted, *self._store.people_before(now - AGED, room)]))
        known = self._store.people(wanted)
        names: dict[str, str] = {}
        problem = ""
        for i in range(0, len(wanted), contact.MOST_PER_CALL):
            some = wanted[i : i + contact.MOST_PER_CALL]
            try:
                found = await self._names(some)
            except (ApiFailure, KeyError, TypeError, AttributeError) as error:  # An answer of any shape.
                problem = str(error) if isinstance(error, ApiFailure) else f"an unknown answer: {error!r}"
                self._not_before = now + min(LONGEST_PAUSE, PAUSE * 2 ** min(self._failures, 6))
                self._failures += 1
                break
            self._failures = 0
            names.update({one: found.get(one) or known.get(one, ("", 0))[0] for one in some})
        if problem and problem != self.problem:
            logger.warning("Names cannot be looked up now, rows are written without: {}", problem)
        self.problem = problem
        self._missed = dict.fromkeys(one for one in wanted if one not in names)
        return names

    async def _names(self, wanted: list[str]) -> dict[str, str]:
        """Their names. IDs that nobody has are found by halving; where they are many, others lack a name for a day."""
        found: dict[str, str] = {}
        waiting, calls = [wanted], 0
        while waiting and calls <= MOST_HALVES:
            some = waiting.pop()
            calls += 1
            try:
                found |= await contact.names(self._api, some)
            except ApiError as error:
                if error.code not in contact.UNKNOWN:
                    raise
                middle = len(some) // 2
                waiting += [some[:middle], some[middle:]] if middle else []
        return found

    async def learn_strangers(self) -> None:
        """Look up people whom a table shows and nobody ever asked for; for tables that are never mirrored."""
        strangers = {
            one for plugin, table, column in self._uses() for one in self._store.strangers(plugin, table, column)
        }
        if strangers:
            await self.learn(sorted(strangers)[: contact.MOST_PER_CALL])

    def names(self, open_ids: Sequence[str]) -> dict[str, str]:
        """The names known, by open_id."""
        return {one: name for one, (name, _) in self._store.people(open_ids).items() if name}
