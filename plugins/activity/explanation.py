"""What a score is made of: every counter of a month, and every single thing that was counted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from core import Row

from .credits import liked, pinned, said

LINK: Final = "https://applink.feishu.cn/client/chat/open?openChatId={}&messageId={}"


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one message, one like or one pin counted for the person."""

    period: str
    created: int
    """When the message was sent, ms UTC; likes and pins count for the month of their message."""
    message_id: str
    chat_id: str
    kind: str
    """``said`` or ``liking`` by the person; ``replied``, ``mentioned`` or ``liked`` by ``by``; ``pinned``."""
    by: str
    """The other person, or empty."""
    emoji: str
    amounts: dict[str, int]
    """By counter."""

    @property
    def link(self) -> str:
        """Opens the message in Feishu."""
        return LINK.format(self.chat_id, self.message_id)


def contributions(user: str, messages: Iterable[Row], likes: Iterable[Row], period: str = "") -> list[Contribution]:
    """Everything that counted for ``user``, newest first, from the rows of ``CREDITS`` and ``LIKES``."""
    likes_of: dict[str, list[Row]] = defaultdict(list)
    liking: set[str] = set()
    for like in likes:
        if like["added"]:
            likes_of[like["message_id"]].append(like)
            if like["user_id"] == user:
                liking.add(like["message_id"])
    found: list[Contribution] = []
    for row in messages:  # all there are, so those that do not concern the person are passed over first
        if period and row["period"] != period:
            continue
        mentioned = row["mentioned"]
        if user in (row["author"], row["replied"]) or (mentioned and user in mentioned) or row["message_id"] in liking:
            found += _of_message(user, row, likes_of.get(row["message_id"], ()))
    return sorted(found, key=lambda one: (-one.created, one.message_id))


def _of_message(user: str, row: Row, likes: Iterable[Row]) -> Iterator[Contribution]:
    author = row["author"]
    amounts = said(row).get(user)
    if amounts:
        own = user == author
        yield _contribution(row, "said" if own else next(iter(amounts)), "" if own else author, amounts)
    if user == author and row["pinned"]:
        for amounts in pinned(row).values():
            yield _contribution(row, "pinned", "", amounts)
    for like in likes:
        giver = like["user_id"]
        if user in (author, giver):
            amounts = liked(row, giver).get(user)
            if amounts:
                gave = user == giver
                yield _contribution(
                    row, "liking" if gave else "liked", author if gave else giver, amounts, like["emoji"]
                )


def _contribution(row: Row, kind: str, by: str, amounts: dict[str, int], emoji: str = "") -> Contribution:
    return Contribution(row["period"], row["created"], row["message_id"], row["chat_id"], kind, by, emoji, amounts)
