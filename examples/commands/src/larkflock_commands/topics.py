"""``/topics``: what this group talked about lately."""

from __future__ import annotations

from datetime import datetime
from heapq import nlargest
from typing import Any, Final

from core import Context, Row

from .command import Answer, Call, Command
from .pages import USAGE, asked_for, buttons, short

TABLE: Final = "archive.topics"


async def _topics(call: Call, ctx: Context[Any]) -> Answer:
    count, page = asked_for(call.arguments)
    if not call.in_group:
        return Answer("话题", ("请在群里使用 /topics，这里看不到群里的话题。",))
    topics = ctx.read(TABLE)
    if topics is None:
        return Answer("话题", ("没有启用归档插件（archive）。",))
    here = list(topics.select(equals={"chat_id": call.chat_id}))
    latest = nlargest(page * count, here, key=lambda row: (_last(row), row["topic_id"]))
    lines = []
    for row in latest[(page - 1) * count :]:
        when = datetime.fromtimestamp(_last(row) / 1000, call.zone)
        lines.append(f"{short(row['title']) or '（无标题）'}　{int(row['replies'])} 回复 · {when:%m-%d %H:%M}")
        if row["summary"]:
            lines.append(f"　　{short(row['summary'])}")
    if not lines:
        lines.append("没有更多话题。" if here else "还没有话题。")
    return Answer(f"话题（共 {len(here)} 个）", tuple(lines), buttons(count, page, len(here)))


def _last(row: Row) -> int:
    """When something was said in the topic last, ms UTC."""
    return int(row["last_reply"] or row["created"] or 0)


TOPICS: Final = Command("topics", "本群最近的话题和摘要", _topics, usage=USAGE, reads=(TABLE,))
