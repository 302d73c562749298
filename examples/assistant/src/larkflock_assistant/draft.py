"""One answer while a model writes it, and when a card should show more of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from .memory import Said, tokens

FIRST_GAP: Final = 1.0
"""Seconds until a card grows for the first time; each later gap is half as long again."""
GROWTH: Final = 1.5


def gaps(updates: int) -> Iterator[float]:
    """Seconds between the times a card grows; in the end it does no more."""
    yield from (FIRST_GAP * GROWTH**number for number in range(updates))
    while True:
        yield float("inf")


class Draft:
    """An answer that grows. It is written in one task and read in others of the same loop."""

    def __init__(self, chat: Sequence[Said], *, begun: float, updates: int) -> None:
        """``begun``: seconds of a clock that only goes forward."""
        self.chat = chat
        self.text = ""
        self.problem = ""
        """Why it is not whole, in words that a group may read."""
        self.surprise: Exception | None = None
        """What went wrong that nobody foresaw; for the log."""
        self.over = False
        """Nothing more is coming."""
        self.wanted = True
        self.counted = 0
        """The tokens it cost, as the provider counted them; 0 = it did not say."""
        self._gaps = gaps(updates)
        self._due = begun + next(self._gaps)
        self._shown = ""

    @property
    def cost(self) -> int:
        """The tokens it cost, as the provider says, or about."""
        return self.counted or sum(tokens(one["content"]) for one in self.chat) + tokens(self.text)

    def growth(self, now: float) -> str:
        """What the card should show now, or empty: it is not time, or there is nothing new."""
        if now < self._due or self.text == self._shown:
            return ""
        self._shown, self._due = self.text, now + next(self._gaps)
        return self.text
