"""What a power cut may leave on a disk: everything synced, and of the rest whatever the disk got round to."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any, Literal, get_args

from recording_disk import Delete, Step, Sync, Truncate, Write

SECTOR = 512
Survival = Literal["nothing", "everything", "writes", "sectors", "torn"]
"""What of the unsynced survives: writes or sectors at random, or a beginning with its last write torn anywhere."""

SURVIVALS: Sequence[Survival] = get_args(Survival)
Image = dict[str, bytes]
"""File contents by name."""


class SimulatedFile:
    """One file: what is certainly on disk, and what was written since."""

    def __init__(self) -> None:
        self._synced = bytearray()
        self._named = False
        self._since: list[Write | Truncate] = []

    @property
    def uncertain(self) -> bool:
        return bool(self._since)

    def write(self, step: Write | Truncate) -> None:
        self._since.append(step)

    def sync(self) -> None:
        for step in self._since:
            _apply(self._synced, step)
        self._since.clear()
        self._named = True

    def after_power_cut(self, chance: random.Random, survival: Survival) -> bytes | None:
        """The bytes that are found again; None when even the name is gone."""
        if not self._named and (survival == "nothing" or chance.random() < 0.5):
            return None
        found = bytearray(self._synced)
        if survival == "nothing":
            return bytes(found)
        last = chance.randrange(len(self._since) + 1)
        share = chance.random()
        for number, step in enumerate(self._since):
            if survival == "everything":
                _apply(found, step)
            elif survival == "torn":
                if number < last or (number > last and chance.random() < 0.2):
                    _apply(found, step)
                elif number == last and isinstance(step, Write):
                    _apply(found, step._replace(data=step.data[: chance.randrange(len(step.data) + 1)]))
            elif survival == "writes" or isinstance(step, Truncate):
                if chance.random() < share:
                    _apply(found, step)
            else:
                for part in _sectors(step):
                    if chance.random() < share:
                        _apply(found, part)
        return bytes(found)


class SimulatedDisk:
    """The files as one step after another reaches them."""

    def __init__(self) -> None:
        self._files: dict[str, SimulatedFile] = {}

    def take(self, step: Step) -> None:
        match step:
            case Delete():
                self._files.pop(step.file, None)
            case Sync():
                self._files.setdefault(step.file, SimulatedFile()).sync()
            case _:
                self._files.setdefault(step.file, SimulatedFile()).write(step)

    @property
    def uncertain(self) -> bool:
        return any(file.uncertain for file in self._files.values())

    def power_cut(self, chance: random.Random) -> Image:
        """One of the many things that may be left."""
        survival = chance.choice(SURVIVALS)
        found = {name: file.after_power_cut(chance, survival) for name, file in self._files.items()}
        return {name: content for name, content in found.items() if content is not None}


def _sectors(step: Write) -> Iterator[Write]:
    """A write, cut where the sectors of the disk begin."""
    start = 0
    while start < len(step.data):
        end = min(len(step.data), start + SECTOR - (step.offset + start) % SECTOR)
        yield Write(step.file, step.offset + start, step.data[start:end])
        start = end


def _apply(content: bytearray, step: Any) -> None:
    if isinstance(step, Truncate):
        del content[step.size :]
        return
    end = step.offset + len(step.data)
    if len(content) < step.offset:
        content.extend(bytes(step.offset - len(content)))
    content[step.offset : end] = step.data
