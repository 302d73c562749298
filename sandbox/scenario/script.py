"""A conversation written down for roles, to be filled in anew each time it is played.

One line is one message::

    产品*: 《{版本}上线计划》今晚八点发布 / 清单见 [文档](https://…)
    后端>产品: 收到，{接口已合|代码已合}，@测试 可以回归了
    测试?>>产品: 开始跑了 [图片 用例.png]
    大家>产品: {收到|好的|OK}

- Who: a role of ``cast.ROLES``, with a digit for another person of it (``后端2``), ``路人`` anybody, ``大家`` several.
- ``?`` it is left out now and then. ``>role`` a reply to that role's last message here, ``>>role`` in a topic.
- ``*`` it is pinned, ``!`` it is much liked, ``~`` it is recalled, ``^`` it is edited.
- ``{a|b}`` one of them, ``{3-9}`` a number, ``{功能}`` a word of ``words.WORDS``, which stays the same all through the
  conversation.
- ``… 10`` lets ten minutes pass.
- The text is in the notation of ``content``. What begins with ``/`` goes on with the line before.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from .act import ScenarioError

_LINE = re.compile(
    r"(?P<who>[^\s?>*!~^:]+)(?P<maybe>\?)?(?P<marks>[*!~^]*)(?:(?P<arrow>>>?)(?P<to>[^\s:]+))?: (?P<text>.+)"
)
_WAIT = re.compile(r"… (\d+)")
_HAN = "[\u4e00-\u9fff]"
_LOOSE = re.compile(rf"(?P<kept>@\S+ |\[\S+ )|(?<={_HAN}) (?={_HAN})")
"""A space between two Chinese words, left behind by a slot; the one after a mention or in a notation is kept."""
_SLOT = re.compile(r"\{([^{}]*)\}")
_NUMBER = re.compile(r"(\d+)-(\d+)")

Fill = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Line:
    """What one role says."""

    who: str
    text: str
    wait: int
    """Minutes that pass before it."""
    to: str = ""
    """The role replied to."""
    threaded: bool = False
    maybe: bool = False
    marks: str = ""


@cache
def read(script: str) -> tuple[Line, ...]:
    """The lines of a script. Raises ``ScenarioError`` for one that cannot be read."""
    lines = []
    wait = 0
    for raw in filter(None, map(str.strip, re.sub(r"\n\s*/ ", " / ", script).splitlines())):
        if waited := _WAIT.fullmatch(raw):
            wait = int(waited[1])
            continue
        found = _LINE.fullmatch(raw)
        if not found:
            raise ScenarioError(f"not a line of a script: {raw!r}")
        lines.append(
            Line(
                who=found["who"],
                text=found["text"],
                wait=wait,
                to=found["to"] or "",
                threaded=found["arrow"] == ">>",
                maybe=bool(found["maybe"]),
                marks=found["marks"],
            )
        )
        wait = 0
    return tuple(lines)


def filler(words: dict[str, tuple[str, ...]], known: dict[str, str], chance: random.Random) -> Fill:
    """A function that fills the slots of one conversation's texts; ``known`` are the words already decided."""

    def word(found: re.Match[str]) -> str:
        slot: str = found[1]
        if "|" in slot:
            return chance.choice(slot.split("|"))
        if number := _NUMBER.fullmatch(slot):
            return str(chance.randint(int(number[1]), int(number[2])))
        if slot not in known:
            if slot not in words:
                raise ScenarioError(f"no words for the slot {{{slot}}}")
            known[slot] = fill(chance.choice(words[slot]))
        return known[slot]

    def fill(text: str) -> str:
        """From the inside out, so that a choice may hold slots."""
        while _SLOT.search(text):
            text = _SLOT.sub(word, text)
        return _LOOSE.sub(lambda found: found["kept"] or "", text)

    return fill
