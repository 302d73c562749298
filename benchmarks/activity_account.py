"""The activity table as a scenario demands it, counted independently of the program, and how a found one differs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from reference_fold import WEIGHTS, fold, score  # noqa: E402

from sandbox.scenario.act import Pin, React, Recall, Say, Scenario, Unpin, Unreact  # noqa: E402

Counters = dict[tuple[str, str], dict[str, int]]
Cells = dict[str, Any]


def account(scenario: Scenario, *, pins: bool) -> Counters:
    """Counters by (open_id, month), with 被Pin次数 where ``pins`` are watched."""
    return fold(_events(scenario, pins=pins))


def cells_by_key(records: Iterable[dict[str, Any]]) -> dict[tuple[str, str], Cells | list[Cells]]:
    """The cells of every record by (open_id, month); a list where a row is there twice."""
    rows: dict[tuple[str, str], Any] = {}
    for record in records:
        fields = record["fields"]
        key = (_text(fields["用户ID"]), _text(fields["统计周期"]))
        rows[key] = [rows[key], fields] if key in rows else fields
    return rows


def differences(expected: Counters, found: dict[tuple[str, str], Any]) -> list[str]:
    """One line for every row that is not as it should be."""
    lines = []
    for key in sorted(expected.keys() | found.keys()):
        cells = found.get(key)
        counters = expected.get(key, dict.fromkeys(WEIGHTS, 0))
        wanted = {**counters, "活跃度分数": score(counters)}
        if cells is None:
            lines.append(f"{key}: missing, should be {wanted}")
        elif isinstance(cells, list):
            lines.append(f"{key}: {len(cells)} rows")
        elif any(cells.get(name, 0) != value for name, value in wanted.items()):
            shown = {name: cells.get(name, 0) for name in wanted}
            lines.append(f"{key}: {shown}, should be {wanted}")
    return lines


def _text(cell: Any) -> str:
    return cell if isinstance(cell, str) else "".join(part["text"] for part in cell)


def _events(scenario: Scenario, *, pins: bool) -> Iterator[dict[str, Any]]:
    """What happened, read from the scenario itself and put into the words the recount understands."""
    roots: dict[str, str] = {}
    for act in scenario.acts():
        match act:
            case Say():
                root = act.root or (roots.get(act.parent, act.parent) if act.parent else "")
                roots[act.message] = root or act.message
                mentions = [
                    {"key": m.key, "id": {"open_id": m.open_id}, "mentioned_type": "user"} for m in act.mentions
                ]
                message = {
                    "message_id": act.message,
                    "chat_type": "group",
                    "create_time": str(act.at),
                    "message_type": act.type,
                    "content": json.dumps(act.content),
                    "parent_id": act.parent,
                    "root_id": root,
                    "thread_id": "omt_x" if act.thread else "",
                    "mentions": mentions,
                }
                sender = {"sender_id": {"open_id": act.sender}, "sender_type": "user"}
                yield _event("im.message.receive_v1", message=message, sender=sender)
            case React() | Unreact():
                kind = "created" if isinstance(act, React) else "deleted"
                yield _event(
                    f"im.message.reaction.{kind}_v1",
                    message_id=act.message,
                    operator_type="user",
                    user_id={"open_id": act.person},
                    reaction_type={"emoji_type": act.emoji},
                    action_time=str(act.at),
                )
            case Recall():
                yield _event("im.message.recalled_v1", message_id=act.message)
            case Pin() | Unpin() if pins:
                yield _event(
                    "pin.added" if isinstance(act, Pin) else "pin.removed",
                    message_id=act.message,
                    pin_time=str(act.at),
                )


def _event(kind: str, **event: Any) -> dict[str, Any]:
    return {"header": {"event_type": kind}, "event": event}
