"""An event loop whose time passes at once: it leaps to the next moment at which something is to happen."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from selectors import BaseSelector
from typing import Any, TypeVar

T = TypeVar("T")


class _Leaping:
    """A selector that never waits."""

    def __init__(self, selector: BaseSelector, loop: VirtualLoop) -> None:
        self._selector = selector
        self._loop = loop

    def select(self, timeout: float | None) -> Any:
        """What is ready; otherwise it is ``timeout`` seconds later. Raises ``RuntimeError`` when nothing ever comes."""
        if timeout is None:
            raise RuntimeError("nothing will ever happen again")
        self._loop.leap(max(timeout, 0.0))
        return self._selector.select(0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._selector, name)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Time begins at 0 s and passes only when everybody waits."""

    def __init__(self) -> None:
        super().__init__()
        self._passed = 0.0
        self._selector: Any = _Leaping(self._selector, self)

    def time(self) -> float:
        """Seconds since the beginning."""
        return self._passed

    def leap(self, seconds: float) -> None:
        """It is that much later."""
        self._passed += seconds


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    """Run ``main`` on a loop of its own until it is done."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(main)
    finally:
        loop.close()
