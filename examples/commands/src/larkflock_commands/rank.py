"""``/rank``: who was most active in a month."""

from __future__ import annotations

import re
from datetime import datetime
from heapq import nlargest
from typing import Any, Final

from core import Context

from .command import Answer, Call, Command, Usage, at_most

TABLE: Final = "activity.activity"
SHOWN: Final = 10
_MONTH: Final = re.compile(r"20\d\d-(0[1-9]|1[0-2])\Z")


async def _rank(call: Call, ctx: Context[Any]) -> Answer:
    at_most(call.arguments, 1)
    current = f"{datetime.fromtimestamp(call.now / 1000, call.zone):%Y-%m}"
    period = call.arguments[0] if call.arguments else current
    if not _MONTH.match(period):
        raise Usage(f"“{period[:20]}” 不是月份，例如 {current}。")
    activity = ctx.read(TABLE)
    if activity is None:
        return Answer("活跃度排行", ("没有启用活跃度插件（activity）。",))
    rows = list(activity.select(equals={"period": period}))
    first = nlargest(SHOWN, rows, key=lambda row: (row["score"], row["user_id"]))
    names = await ctx.names([row["user_id"] for row in first])
    lines = tuple(
        f"{place}. {names.get(row['user_id']) or '某位成员'}　{row['score']:.2f} 分"
        for place, row in enumerate(first, start=1)
    )
    foot = (f"共 {len(rows)} 人有记录。",) if rows else (f"{period} 没有记录。",)
    months = (("上个月", _moved(period, -1)), ("下个月", _moved(period, 1)))
    buttons = tuple((label, month) for label, month in months if _MONTH.match(month) and month <= current)
    return Answer(f"活跃度排行 {period}", lines + foot, buttons)


def _moved(period: str, months: int) -> str:
    count = int(period[:4]) * 12 + int(period[5:]) - 1 + months
    return f"{count // 12:04}-{count % 12 + 1:02}"


RANK: Final = Command("rank", "本月或某月的活跃度排行", _rank, usage="[YYYY-MM]", reads=(TABLE,))
