"""A scenario's acts in the words of the events: what independent accounts are worked out from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from sandbox.scenario.act import Act, Pin, React, Recall, Say, Unpin, Unreact


def events_of(acts: Iterable[Act], *, pins: bool = False) -> Iterator[dict[str, Any]]:
    """Messages, reactions and recalls; with ``pins`` also what the pin plugin would publish if it saw them at once."""
    roots: dict[str, str] = {}
    for act in acts:
        match act:
            case Say():
                root = act.root or (roots.get(act.parent, act.parent) if act.parent else "")
                roots[act.message] = root or act.message
                message = {
                    "message_id": act.message,
                    "chat_id": act.chat,
                    "chat_type": "group",
                    "create_time": str(act.at),
                    "update_time": str(act.at),
                    "message_type": act.type,
                    "content": json.dumps(act.content),
                    "parent_id": act.parent,
                    "root_id": root,
                    "thread_id": "omt_x" if act.thread else "",
                    "mentions": [
                        {"key": one.key, "name": one.name, "id": {"open_id": one.open_id}, "mentioned_type": "user"}
                        for one in act.mentions
                    ],
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
