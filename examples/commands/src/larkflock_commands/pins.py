"""``/pins``: what is pinned in this group."""

from __future__ import annotations

from typing import Any, Final

from core import Context

from .command import Answer, Call, Command
from .pages import USAGE, asked_for, buttons, short

KNOWN: Final = "pin.known"
PIN: Final = "pin.pin"


async def _pins(call: Call, ctx: Context[Any]) -> Answer:
    count, page = asked_for(call.arguments)
    if not call.in_group:
        return Answer("Pin", ("请在群里使用 /pins，这里看不到群里的 Pin。",))
    known, pins = ctx.read(KNOWN), ctx.read(PIN)
    if known is None or pins is None:
        return Answer("Pin", ("没有启用 Pin 插件（pin）。",))
    here = {one["message_id"] for one in known.find(chat_id=call.chat_id) if one["removed"] is None}
    rows = [pins.get(message_id) for message_id in here]
    standing = [row for row in rows if row is not None and not row["recalled"]]
    standing.sort(key=lambda row: (row["pinned"], row["message_id"]), reverse=True)
    shown = standing[(page - 1) * count : page * count]
    names = await ctx.names([row["sender_id"] for row in shown if row["sender_id"].startswith("ou_")])
    lines = []
    for row in shown:
        sender = names.get(row["sender_id"]) or "某位成员"
        lines += [short(row["content"]) or "（没有文字）", f"　　{sender} · {row['pinned'][:16]}"]
    if not lines:
        lines.append("没有更多 Pin。" if standing else "还没有 Pin。")
    return Answer(f"Pin（共 {len(standing)} 条）", tuple(lines), buttons(count, page, len(standing)))


PINS: Final = Command("pins", "本群的 Pin 消息", _pins, usage=USAGE, reads=(KNOWN, PIN))
