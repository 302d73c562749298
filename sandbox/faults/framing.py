"""The frames of a push as faults spoil them; which line they go down, and what becomes of it, is ``Line``'s."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from .. import frames
from ..frame_pb2 import Frame
from .fault import Fault
from .faults import Faults, event_type


@dataclass(frozen=True, slots=True)
class Framed:
    """The frames of one push, and the fault their line has to commit while it sends them."""

    frames: list[bytes]
    fault: Fault | None = None


def frame(faults: Faults, push_id: str, payload: bytes, *, part_size: int, **given: Any) -> Framed:
    """What ``frames.push`` makes of the same, after the fault that strikes it."""
    fault = faults.strike("frame", event_type(payload)) if faults.any("frame") else None
    if fault is None:
        return Framed(list(frames.push(push_id, payload, part_size=part_size, **given)))
    chance = faults.chance("frame")
    if fault.kind == "oversized":
        payload += b" " * (fault.size or 0)
    elif fault.kind in ("split", "parts-disordered", "part-missing", "part-twice"):
        part_size = min(part_size, -(-len(payload) // max(2, fault.count or 0)))
    made = list(frames.push(push_id, payload, part_size=part_size, **given))
    return Framed(_spoiled(fault, made, chance), fault if fault.kind in ("cut", "dribble") else None)


def _spoiled(fault: Fault, made: list[bytes], chance: random.Random) -> list[bytes]:
    match fault.kind:
        case "torn":
            return [made[0][: chance.randrange(1, len(made[0]))], *made[1:]]
        case "headless":
            return [_headless(each) for each in made]
        case "garbage":
            return [chance.randbytes(fault.size or 1), *made]
        case "parts-disordered":
            # A draw may leave the order as it was.
            shuffled = chance.sample(made, len(made))
            return shuffled if shuffled != made else made[::-1]
        case "part-missing":
            del made[chance.randrange(len(made))]
        case "part-twice":
            made.append(chance.choice(made))
    return made


def _headless(raw: bytes) -> bytes:
    spoiled = Frame.FromString(raw)
    kept = [header for header in spoiled.headers if header.key == "type"]
    del spoiled.headers[:]
    spoiled.headers.extend(kept)
    return spoiled.SerializeToString()
