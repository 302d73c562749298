"""What the pin table has to say, worked out from the acts of a scenario and the moments at which somebody looked.

There is no pin event, so this is all that can be known: who looks now and then sees the pins that stand, with the time
of each and who set it. What was set and taken off between two looks was never seen; what was taken off and set again
in between is another pin, of a later time, on the row there was. A message says what it said at the look that first saw
it. It imports nothing of the program.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from message_account import told

from sandbox.scenario.act import Act, Edit, Pin, Recall, Say, Unpin

DAY = 86_400_000
LINK = "https://applink.feishu.cn/client/chat/open?openChatId={}&messageId={}"


@dataclass
class PinAccount:
    """What had been seen after the last look."""

    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    """By message: the cells by title."""
    published: list[dict[str, Any]] = field(default_factory=list)
    """What other plugins heard, in the form of events."""
    cards: Counter[str] = field(default_factory=Counter)
    """Announcements by group: one where a look found pins that were not a day old, but not the very first look."""
    missed: set[str] = field(default_factory=set)
    """Messages that were pinned at some time and never when somebody looked."""


def account(acts: Iterable[Act], looks: Sequence[int], names: Mapping[str, str]) -> PinAccount:
    """``looks`` in ms UTC, ascending; at each the acts up to and at that moment have happened. ``names`` by open_id."""
    found = PinAccount()
    said: dict[str, Say] = {}
    content: dict[str, Mapping[str, Any]] = {}
    standing: dict[str, Pin] = {}
    seen: dict[str, Pin] = {}
    ever: set[str] = set()
    left = iter(sorted(acts, key=lambda act: act.at))
    act = next(left, None)
    for look in looks:
        while act is not None and act.at <= look:
            match act:
                case Say():
                    said[act.message] = act
                case Edit():
                    content[act.message] = act.content
                case Pin():
                    standing.setdefault(act.message, act)
                case Unpin() | Recall():
                    standing.pop(act.message, None)
            act = next(left, None)
        for message, pin in [(message, pin) for message, pin in seen.items() if standing.get(message) != pin]:
            found.published.append(_event("pin.removed", pin))
            if message not in standing:
                del found.rows[message]
        new = {message: pin for message, pin in standing.items() if seen.get(message) != pin}
        for message, pin in new.items():
            found.published.append(_event("pin.added", pin))
            row = found.rows.get(message) or _row(said[message], content.get(message), look, names)
            changes = {"Pin操作人ID": pin.by, "Pin操作人姓名": names[pin.by], "Pin时间": _local(pin.at)}
            found.rows[message] = row | changes
        if look != looks[0]:
            found.cards.update({pin.chat for pin in new.values() if pin.at >= look - DAY})
        seen = dict(standing)
        ever |= seen.keys()
    found.missed = {one.message for one in acts if isinstance(one, Pin)} - ever
    return found


def _row(said: Say, content: Mapping[str, Any] | None, look: int, names: Mapping[str, str]) -> dict[str, Any]:
    shown = told(said, names, content)
    return {
        "消息内容": shown.content,
        "消息类型": said.type,
        "发送者ID": said.sender,
        "发送者姓名": names[said.sender],
        "消息发送时间": _local(said.at),
        "消息链接": LINK.format(said.chat, said.message),
        "附件信息": list(shown.files),
        "归档时间": _local(look),
    }


def _event(kind: str, pin: Pin) -> dict[str, Any]:
    return {"header": {"event_type": kind}, "event": {"message_id": pin.message, "pin_time": str(pin.at)}}


def _local(at: int) -> str:
    return datetime.fromtimestamp(at // 1000, ZoneInfo("Asia/Shanghai")).strftime("%Y-%m-%d %H:%M:%S")
