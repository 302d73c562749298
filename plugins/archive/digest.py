"""The digest: when it is due, and the card that tells the topics of a day or week; pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote
from zoneinfo import ZoneInfo

import orjson
from cronsim import CronSim

from core import Row

from .settings import ArchiveConfig
from .topics import DAY, LINK, cited

LATEST: Final = DAY
"""ms after which a digest that was missed is not sent any more."""
MOST: Final = 20
"""Topics that are told; the others are counted."""
SIZE: Final = 28_000
"""Bytes of a card at the most; the platform takes about 30 KB (FEISHU.md §10.1)."""
SUMMARY: Final = 300
"""Code points of a summary that are shown."""
NAMES: Final = {"daily": "话题日报", "weekly": "话题周报"}


def latest(config: ArchiveConfig, now: int, timezone: ZoneInfo) -> tuple[int, int]:
    """The period that the last digest due at ``now`` is about: from, before (ms UTC); it is due at its end."""
    back = CronSim(_rule(config), _local(now, timezone) + timedelta(minutes=1), reverse=True)
    end = next(moment for moment in back if _ms(moment) <= now)
    return _ms(next(back)), _ms(end)


def following(config: ArchiveConfig, now: int, timezone: ZoneInfo) -> int:
    """When the next digest after ``now`` is due (ms UTC)."""
    return _ms(next(CronSim(_rule(config), _local(now, timezone))))


def chosen(topics: Iterable[Row], start: int, end: int) -> dict[str, list[Row]]:
    """The topics with a reply in the period, by group, the liveliest first; ``topics`` are rows of ``TOPICS``."""
    by_group: dict[str, list[Row]] = {}
    for topic in topics:
        begun = topic["created"] or start
        if topic["chat_id"] and begun < end and (topic["last_reply"] or 0) >= start:
            by_group.setdefault(topic["chat_id"], []).append(topic)
    for rows in by_group.values():
        rows.sort(key=lambda row: (-row["replies"], -row["last_reply"], row["topic_id"]))
    return by_group


def card(
    kind: str,
    period: tuple[int, int],
    topics: Sequence[Row],
    names: Mapping[str, str],
    timezone: ZoneInfo,
    *,
    group: str = "",
) -> dict[str, Any]:
    """A card of schema 2.0 (FEISHU.md §10.1); ``names`` are by open_id, ``group`` is named when it goes elsewhere.

    What people wrote stands in plain text only, where it can be neither a mention nor a link nor markup.
    """
    shown = list(topics[:MOST])
    while True:
        made = _card(kind, period, shown, len(topics) - len(shown), names, timezone, group)
        if len(orjson.dumps(made)) <= SIZE or not shown:
            return made
        shown.pop()


def plain(text: str, limit: int) -> str:
    """``text`` on one line, at most ``limit`` code points, without characters that are not seen or turn it round."""
    seen = "".join(one if unicodedata.category(one) not in ("Cc", "Cf", "Cs", "Zl", "Zp") else " " for one in text)
    line = " ".join(seen.split())
    return line if len(line) <= limit else f"{line[: limit - 1].rstrip()}…"


def _card(
    kind: str,
    period: tuple[int, int],
    topics: Sequence[Row],
    others: int,
    names: Mapping[str, str],
    timezone: ZoneInfo,
    group: str,
) -> dict[str, Any]:
    elements: list[dict[str, Any]] = []
    for topic in topics:
        if elements:
            elements.append({"tag": "hr"})
        elements += _topic(topic, names)
    if others:
        elements.append(_markdown(f"另有 {others} 个话题"))
    total = len(topics) + others
    counts = f"{total} 个话题"
    if not others:  # Else it would be the replies of some.
        counts += f"，{sum(topic['replies'] for topic in topics)} 条回复"
    start, last = (_local(moment, timezone) for moment in (period[0], period[1] - 1))
    days = f"{start:%Y-%m-%d %H:%M} – {last:%m-%d %H:%M}"
    title = f"{NAMES[kind]} · {plain(group, 60)}" if group else NAMES[kind]
    return {
        "schema": "2.0",
        "config": {"summary": {"content": f"{NAMES[kind]}：{total} 个话题"}, "enable_forward": True},
        "header": {
            "title": {"tag": "plain_text", "content": title},
            "subtitle": {"tag": "plain_text", "content": f"{days}，{counts}"},
            "template": "blue",
        },
        "body": {"elements": elements},
    }


def _topic(topic: Row, names: Mapping[str, str]) -> list[dict[str, Any]]:
    title = plain(topic["title"], 80)
    elements = [_text(title, "heading")]
    lines = [plain(line, SUMMARY) for line, _, _ in cited(topic["summary"])]
    summary = "\n".join(line for line in lines if line.partition("：")[2] != title)
    if summary.strip():
        cut = summary if len(summary) <= SUMMARY else f"{summary[: SUMMARY - 1].rstrip()}…"
        elements.append(_text(cut, "normal"))
    starter = plain(names.get(topic["starter_id"], ""), 40)
    keywords = plain(topic["keywords"], 80)
    notes = " · ".join(filter(None, (starter and f"发起人 {starter}", keywords)))
    if notes:
        elements.append(_text(notes, "notation"))
    link = LINK.format(quote(topic["chat_id"], safe=""), quote(topic["topic_id"], safe=""))
    facts = f"{topic['replies']} 条回复 · {topic['people']} 人 · {topic['status']} · [查看话题]({link})"
    return [*elements, _markdown(facts)]


def _text(content: str, size: str) -> dict[str, Any]:
    return {"tag": "div", "text": {"tag": "plain_text", "content": content, "text_size": size}}


def _markdown(content: str) -> dict[str, Any]:
    return {"tag": "markdown", "content": content, "text_size": "notation"}


def _rule(config: ArchiveConfig) -> str:
    hour, minute = config.digest_time.split(":")
    weekday = config.digest_weekday if config.digest == "weekly" else "*"
    return f"{int(minute)} {int(hour)} * * {weekday}"


def _local(moment: int, timezone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(moment / 1000, timezone)


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
