"""The one place every change of a table passes: one writer at a time, and each ``client_token`` only once.

A table is processed serially, so a write that meets another one under way is refused; ``ignore_consistency_check``
lets it through (FEISHU.md §5.2). How long the platform remembers a token and what it answers to a replay is not
documented: here the last 10,000 are remembered, and the answer is a choice.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Callable, Sequence
from typing import Any, Literal

import orjson

from .refusals import refuse

Replay = Literal["same", "resubmitted"]
"""A repeated token with the same request: the ``same`` answer again, or 1254608."""

_REMEMBERED = 10_000
_UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.IGNORECASE)


class Gate:
    """Admits the writes of one table."""

    def __init__(self, write_seconds: float = 0.0, replay: Replay = "same") -> None:
        self.write_seconds = write_seconds
        self.replay: Replay = replay
        self._writing = False
        self._answered: dict[str, tuple[bytes, Sequence[str]]] = {}

    async def write(
        self,
        change: Callable[[], Sequence[str]],
        *,
        client_token: str = "",
        request: Any = None,
        ignore_consistency_check: bool = False,
    ) -> Sequence[str]:
        """Makes ``change`` and returns the ids it answers with; for a replayed token the ids of the first time.

        ``request`` is what a token stands for. The table stays taken for ``write_seconds``. Raises 1254037 (not a
        uuid v4), 1255006 (token used for another request), 1254608 and 1254291 (another write is under way).
        """
        digest = b""
        if client_token:
            if _UUID4.fullmatch(client_token) is None:
                raise refuse(1254037, "client_token")
            digest = hashlib.blake2b(orjson.dumps(request, option=orjson.OPT_SORT_KEYS), digest_size=16).digest()
            if (answered := self._answered.get(client_token)) is not None:
                return self._repeat(answered, digest)
        if ignore_consistency_check:
            return self._make(change, client_token, digest)
        if self._writing:
            raise refuse(1254291)
        self._writing = True
        try:
            ids = self._make(change, client_token, digest)
            if self.write_seconds:
                await asyncio.sleep(self.write_seconds)
            return ids
        finally:
            self._writing = False

    def _make(self, change: Callable[[], Sequence[str]], client_token: str, digest: bytes) -> Sequence[str]:
        ids = change()
        if client_token:
            self._answered[client_token] = (digest, ids)
            if len(self._answered) > _REMEMBERED:
                del self._answered[next(iter(self._answered))]
        return ids

    def _repeat(self, answered: tuple[bytes, Sequence[str]], digest: bytes) -> Sequence[str]:
        first, ids = answered
        if first != digest:
            raise refuse(1255006, "client_token")
        if self.replay == "resubmitted":
            raise refuse(1254608, "client_token")
        return ids
