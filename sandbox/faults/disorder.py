"""What faults make of an event on its way to be pushed: more of it, none of it, or all of it later."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from .fault import Fault
from .faults import Faults, event_type
from .waiting import WaitingRoom

if TYPE_CHECKING:
    from ..delivery import Push


class Disorder:
    """Holds pushes back. ``factor`` shortens hours, as it does those of the re-push schedule."""

    def __init__(self, faults: Faults, world: Callable[[], int], *, factor: float) -> None:
        self._faults = faults
        self._factor = factor
        self.held: WaitingRoom[Push] = WaitingRoom(world)

    def arrange(self, push: Push, again: Callable[[], Push]) -> list[Push]:
        """Those to be sent now; what is to be sent later is held. ``again`` makes a copy."""
        fault = self._faults.strike("push", event_type(push.payload)) if self._faults.any("push") else None
        if fault is None:
            return [push]
        match fault.kind:
            case "duplicate":
                copies = [again() for _ in range(fault.count or 1)]
                if seconds := self._faults.draw(fault):
                    for copy in copies:
                        self.held.hold(copy, seconds)
                    return [push]
                return [push, *copies]
            case "reorder":
                self.held.hold(push, self._faults.draw(fault), passes=fault.count or 1)
            case "delay":
                self.held.hold(push, self._faults.draw(fault))
            case "late":
                self._hold_for_hours(push, fault)
            case "repush":
                self._hold_for_hours(again(), fault)
                return [push]
        return []

    def calm(self) -> list[Push]:
        """All that is held when no fault holds anything back any more."""
        return [] if self._faults.any("push") else self.held.everything()

    def _hold_for_hours(self, push: Push, fault: Fault) -> None:
        seconds = self._faults.draw(fault)
        if fault.world:
            self.held.hold_in_world(push, seconds)
        else:
            self.held.hold(push, seconds * self._factor)
