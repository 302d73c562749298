"""The latest things of one kind, for whoever looks on: what changed since they last looked; it keeps no history."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

Thing = TypeVar("Thing")


class Recent(Generic[Thing]):
    """Up to ``most`` things, the one that changed last at the end."""

    def __init__(self, most: int) -> None:
        self._most = most
        # Not a plain dict: to take its first key off again and again is slow.
        self._things: OrderedDict[str, tuple[int, Thing]] = OrderedDict()
        self.version = 0
        """Grows by one with every change."""

    def note(self, key: str, thing: Thing) -> None:
        """The thing is new or different."""
        self.version += 1
        things = self._things
        things[key] = (self.version, thing)
        things.move_to_end(key)
        if len(things) > self._most:
            things.popitem(last=False)

    def get(self, key: str) -> Thing | None:
        """The thing, as long as it is one of the latest."""
        found = self._things.get(key)
        return found[1] if found is not None else None

    def since(self, version: int, limit: int) -> list[Thing]:
        """What changed after ``version``, oldest change first; of more than ``limit`` the latest."""
        changed: list[Thing] = []
        for at, thing in reversed(self._things.values()):
            if at <= version or len(changed) == limit:
                break
            changed.append(thing)
        return changed[::-1]
