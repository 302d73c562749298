"""``/checkin``: the leaderboard as a command, for groups that have the package larkflock-commands too.

Only that package loads this module, through the entry-point group ``larkflock_commands``; nothing else imports it.
"""

from __future__ import annotations

from typing import Any, Final

from larkflock_commands import Answer, Call, Command, at_most

from core import Context

TABLE: Final = "checkin.standings"
SHOWN: Final = 10


async def _checkin(call: Call, ctx: Context[Any]) -> Answer:
    at_most(call.arguments, 0)
    standings = ctx.read(TABLE) if call.in_group else None
    if standings is None:
        return Answer("签到榜", ("请在启用了签到的群里使用 /checkin。",))
    rows = sorted(standings.find(chat_id=call.chat_id), key=lambda row: (-row["total"], row["user_id"]))
    names = await ctx.names([row["user_id"] for row in rows[:SHOWN]])
    lines = tuple(
        f"{place}. {names.get(row['user_id']) or '某位成员'}　{int(row['total'])} 灵芝"
        for place, row in enumerate(rows[:SHOWN], start=1)
    )
    return Answer("签到榜", lines or ("还没有人签到。",))


CHECKIN: Final = Command("checkin", "本群的签到榜", _checkin, reads=(TABLE,))
