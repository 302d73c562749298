"""The leaderboard: who leads in a group, as a card with two buttons, when asked for or once a day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from core import Context, Row

from .checking import day_of
from .settings import CheckinConfig
from .streak import moved
from .tables import STANDINGS

SCHEDULE: Final = "board"
LATE: Final = 60 * 60 * 1000
"""ms after which the day's leaderboard is not sent any more."""
MEDALS: Final = ("🥇", "🥈", "🥉")


def plan(ctx: Context[CheckinConfig]) -> None:
    """Have the next leaderboard sent at ``board_time``."""
    if ctx.config.board_time:
        ctx.schedule(SCHEDULE, at=next_time(ctx.now(), ctx.config.board_time, ctx.timezone))


def missed(ctx: Context[CheckinConfig]) -> bool:
    """Whether a leaderboard should have been sent a short while ago; it is not too late for it."""
    armed = ctx.armed(SCHEDULE)
    return armed is not None and ctx.now() - LATE < armed <= ctx.now()


def next_time(after: int, clock: str, zone: ZoneInfo) -> int:
    """The next moment (ms UTC) after ``after`` at which clocks in ``zone`` show ``clock``; a pure rule."""
    hour, minute = map(int, clock.split(":"))
    now = datetime.fromtimestamp(after / 1000, zone)
    at = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if at <= now:
        at = (at + timedelta(days=1)).replace(hour=hour, minute=minute)
    return int(at.timestamp() * 1000)


def lively(ctx: Context[CheckinConfig]) -> list[str]:
    """The groups in which somebody has checked in today."""
    chats = {
        row["chat_id"]
        for row in ctx.table(STANDINGS).scan()
        if row["last_day"] == day_of(ctx.now(), row["chat_id"], ctx)
    }
    return sorted(chats)


async def send(chat_id: str, ctx: Context[CheckinConfig], *, key: str) -> None:
    """Send the group its leaderboard; ``key`` makes it single."""
    ctx.send(chat_id, "interactive", await card_of(chat_id, ctx), key=key)


async def card_of(chat_id: str, ctx: Context[CheckinConfig]) -> dict[str, Any]:
    """The group's leaderboard as it is now."""
    rows = sorted(ctx.table(STANDINGS).find(chat_id=chat_id), key=lambda row: (-row["total"], row["user_id"]))
    today = day_of(ctx.now(), chat_id, ctx)
    shown = rows[: ctx.config.board_size]
    names = await ctx.names([row["user_id"] for row in shown])
    checked = sum(row["last_day"] == today for row in rows)
    return card(shown, names, people=len(rows), checked=checked, day=today)


def card(rows: Sequence[Row], names: dict[str, str], *, people: int, checked: int, day: str) -> dict[str, Any]:
    """The card itself; names stand in plain text, in which nothing mentions, links or formats."""
    lines = [
        f"{MEDALS[place] if place < len(MEDALS) else f'{place + 1}.'} {names.get(row['user_id']) or '某位成员'}　"
        f"{int(row['total'])} 灵芝 · 连续 {_standing(row, day)} 天"
        for place, row in enumerate(rows)
    ]
    return {
        "schema": "2.0",
        "config": {
            "update_multi": True,
            "enable_forward": False,
            "summary": {"content": f"签到榜：今天 {checked} 人签到"},
        },
        "header": {"title": {"tag": "plain_text", "content": f"🍄 签到榜 {day}"}, "template": "green"},
        "body": {
            "direction": "vertical",
            "vertical_spacing": "8px",
            "elements": [
                _text("\n".join(lines) or "还没有人签到，来做第一个吧。"),
                _text(f"今天 {checked} 人签到，共 {people} 人参加。"),
                _button("签到", "primary", "join"),
                _button("刷新", "default", "refresh"),
            ],
        },
    }


def _standing(row: Row, day: str) -> int:
    """Days in a row, which may still be continued today."""
    return int(row["streak"]) if row["last_day"] >= moved(day, -1) else 0


def _text(content: str) -> dict[str, Any]:
    return {"tag": "div", "text": {"tag": "plain_text", "content": content}}


def _button(label: str, kind: str, does: str) -> dict[str, Any]:
    return {
        "tag": "button",
        "type": kind,
        "text": {"tag": "plain_text", "content": label},
        "behaviors": [{"type": "callback", "value": {"checkin": does}}],
    }
