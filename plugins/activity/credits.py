"""What one message, one like and one pin credit to whom; rules only, nothing is stored here.

Everything belongs to the month in which the message was sent that earns or causes it. So what is taken back is taken
from where it went, and the order in which events arrive does not matter.
"""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from core import Message, Row

Credits = dict[str, dict[str, int]]
"""Amounts by person and counter."""


def period_of(moment: int, timezone: ZoneInfo) -> str:
    """The month, ``YYYY-MM``, of ``moment`` (ms UTC) where the group lives."""
    local = datetime.fromtimestamp(moment / 1000, timezone)
    return f"{local.year:04}-{local.month:02}"


def people_mentioned(message: Message) -> list[str]:
    """Who is mentioned by name, in order, everybody once; not ``@all`` and no bots."""
    return list(dict.fromkeys(m.open_id for m in message.mentions if m.open_id and not m.is_bot and not m.is_all))


def answers_root(message: Message) -> bool:
    """Whether this is a reply in a topic that names the topic's root as its parent, as all do that quote nobody."""
    return bool(message.thread_id and message.parent_id and message.parent_id == message.root_id)


def replied_author(parent: Row) -> str:
    """Who is replied to by a reply to ``parent``: its author unless that is a bot, or empty."""
    return "" if parent["bot"] else str(parent["author"])


def said(row: Row) -> Credits:
    """What a message itself credits, and a recall takes back; ``row`` is of ``CREDITS``."""
    author = row["author"]
    if not author or row["bot"] or row["recalled"]:
        return {}
    own = {"message": 1}
    if row["characters"]:
        own["character"] = row["characters"]
    if row["topic"]:
        own["topic"] = 1
    earned: Credits = {author: own}
    replied = row["replied"]
    if replied and replied != author:
        earned[replied] = {"replied": 1}
    for person in row["mentioned"] or ():
        if person not in earned:
            earned[person] = {"mentioned": 1}
    return earned


def liked(row: Row, user: str) -> Credits:
    """What one emoji of ``user`` on a message credits; nothing while the message is unknown."""
    author = row["author"]
    if not author:
        return {}
    earned: Credits = {user: {"liking": 1}}
    if not row["bot"] and author != user:
        earned[author] = {"liked": 1}
    return earned


def pinned(row: Row) -> Credits:
    """What a pin on a message credits; nothing while the message is unknown."""
    return {row["author"]: {"pinned": 1}} if row["author"] and not row["bot"] else {}
