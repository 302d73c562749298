"""What the platform considers acknowledged: each event once, for whoever compares it with what the app has stored."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import orjson


@dataclass(slots=True)
class Acknowledgement:
    """One event that the app said it has."""

    number: int
    """From 1, in the order of the first acknowledgements."""
    at: int
    """The first acknowledgement, in ms UTC of this machine."""
    event_id: str
    type: str
    key: str
    """What makes two deliveries the same event (FEISHU.md §1.6): the type and its natural key, or its event_id."""
    times: int = 1
    """Acknowledgements of it, more than one when it was pushed more than once."""


class Acknowledged:
    """Every acknowledgement since the start. With a ``file``, a line of JSON each, on its way to disk before it counts.

    What is in the file already stays.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._listed: list[Acknowledgement] = []
        self._by_key: dict[str, Acknowledgement] = {}
        self._file = None if file is None else file.open("ab", buffering=0)

    def __len__(self) -> int:
        return len(self._listed)

    def add(self, payload: bytes) -> None:
        """The event in ``payload`` was acknowledged with 200, in time."""
        event = orjson.loads(payload)
        header = event["header"]
        name = header["event_type"]
        key = f"{name}/{_natural_key(name, event['event']) or header['event_id']}"
        known = self._by_key.get(key)
        if known is not None:
            known.times += 1
            return
        new = Acknowledgement(len(self._listed) + 1, int(time.time() * 1000), header["event_id"], name, key)
        if self._file is not None:
            self._file.write(orjson.dumps(asdict(new)) + b"\n")
        self._listed.append(new)
        self._by_key[key] = new

    def after(self, number: int, limit: int) -> Sequence[Acknowledgement]:
        """Up to ``limit`` acknowledgements after that one."""
        return self._listed[number : number + limit]

    def close(self) -> None:
        """Closes the file."""
        if self._file is not None:
            self._file.close()


def _natural_key(name: str, event: Mapping[str, Any]) -> str:
    match name:
        case "im.message.receive_v1":
            return str(event["message"]["message_id"])
        case "im.message.recalled_v1":
            return str(event["message_id"])
        case "im.message.reaction.created_v1" | "im.message.reaction.deleted_v1":
            operator = event.get("app_id") or event["user_id"]["open_id"]
            emoji = event["reaction_type"]["emoji_type"]
            return f"{event['message_id']}/{operator}/{emoji}/{event['action_time']}"
    return ""
