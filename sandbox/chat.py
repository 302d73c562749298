"""What a chat is made of: members, messages, reactions and pins, small enough for hundreds of thousands."""

from __future__ import annotations

from bisect import bisect_left, insort_right
from dataclasses import dataclass, field
from typing import Literal

from .scenario.act import Forwarded, Mention


@dataclass(slots=True, eq=False)
class Reaction:
    """An emoji of one person (or app) on one message."""

    reaction_id: str
    operator: str
    """An open_id, or the app_id."""
    emoji: str
    at: int

    @property
    def by_app(self) -> bool:
        return self.operator.startswith("cli_")


@dataclass(slots=True, eq=False)
class Pin:
    """A message held up for the group."""

    message_id: str
    operator: str
    """An open_id, or the app_id."""
    at: int


@dataclass(slots=True, eq=False)
class Message:
    """A message as it is stored; ``content`` is the JSON text of its received form (FEISHU.md §2.3)."""

    message_id: str
    chat: Chat
    sender: str
    """An open_id, the app_id, or empty for the platform itself."""
    type: str
    content: str
    at: int
    updated_at: int
    parent: str = ""
    root: str = ""
    thread: str = ""
    mentions: tuple[Mention, ...] = ()
    card: str = ""
    """The JSON of an interactive card as it was sent."""
    forwarded: tuple[Forwarded, ...] = ()
    """What a merged forward holds."""
    edits: int = 0
    recalled: bool = False
    reactions: dict[tuple[str, str], Reaction] | None = None
    """By operator and emoji; None as long as there was none."""

    @property
    def by_app(self) -> bool:
        return self.sender.startswith("cli_")


class Timeline:
    """Messages in the order of their creation time, which is nearly always the order of their arrival."""

    __slots__ = ("_messages",)

    def __init__(self) -> None:
        self._messages: list[Message] = []

    def __len__(self) -> int:
        return len(self._messages)

    def add(self, message: Message) -> None:
        """Puts the message in its place; equal times keep the order of arrival."""
        if not self._messages or self._messages[-1].at <= message.at:
            self._messages.append(message)
        else:
            insort_right(self._messages, message, key=_at)

    def between(self, start: int | None, end: int | None) -> tuple[int, int]:
        """Positions of the messages with ``start`` ≤ time ≤ ``end`` (ms), as a half-open range."""
        first = 0 if start is None else bisect_left(self._messages, start, key=_at)
        last = len(self._messages) if end is None else bisect_left(self._messages, end + 1, key=_at)
        return first, last

    def slice(self, first: int, last: int) -> list[Message]:
        """The messages at these positions."""
        return self._messages[first:last]


def _at(message: Message) -> int:
    return message.at


@dataclass(slots=True, eq=False)
class Chat:
    """A group, a topic group or a private chat with the bot."""

    chat_id: str
    name: str
    mode: Literal["group", "topic", "p2p"] = "group"
    owner: str = ""
    members: dict[str, int] = field(default_factory=dict)
    """open_id → when they joined, in ms; the bot is not among them."""
    has_bot: bool = True
    created_at: int = 0
    active_at: int = 0
    timeline: Timeline = field(default_factory=Timeline)
    """Without the replies inside topics (FEISHU.md §4.2)."""
    pins: dict[str, Pin] = field(default_factory=dict)
    """By message_id, oldest first."""

    @property
    def type(self) -> Literal["p2p", "group"]:
        """What events call it: a topic group is a ``group`` too."""
        return "p2p" if self.mode == "p2p" else "group"
