"""The extractive summary: the few most central messages and the words they share; local, free, deterministic.

Each message is a vector of its words. A message is as central as its mean cosine to all others (degree centrality,
Erkan and Radev 2004, LexRank §3.1), and that mean is one product with the sum of all vectors: the work grows with the
number of words, never with the square of the number of messages.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import log, sqrt
from typing import Final

from .summary import Line, Summary, calling_nobody

MESSAGES: Final = 3
"""How many messages a summary quotes at most."""
KEYWORDS: Final = 5
QUOTE: Final = 120
"""Code points of a message that are quoted at most."""
READ: Final = 2_000
"""Code points of a message that are looked at."""

_FEW_WORDS: Final = 6
"""A message with fewer different words says little and counts for less."""
_SAME: Final = 0.6
"""The cosine from which a message repeats one that is quoted already."""
_OPENING: Final = 1.25
"""What the first message of a topic counts more: it is what the others answer."""
_ALONE: Final = 0.001
"""What a message is worth that has no word in common with any other."""
_CORPUS: Final = 60_000_000
"""Words the segmenter's dictionary was counted in; its frequencies tell a common word from one of this topic."""
_RARE: Final = 100
"""The frequency a word is given that the dictionary does not know, such as any Latin one."""

_UNSAID: Final = re.compile(r"(?:https?://|www\.)\S+|<[^<>]{1,80}>|@\S+|\[[^\[\]\s]{1,8}\]|```", re.IGNORECASE)
"""Links, tags, mentions, [表情] and fences: no words of what is being said."""
_SPACE: Final = re.compile(r"\s+")

_SAYING: Final = ("n", "v", "a", "i", "j", "l", "eng", "g")
"""First letters of the parts of speech that carry meaning: nouns, verbs, adjectives, idioms, short forms, Latin."""
_FILLERS: Final = """
是 有 会 要 能 说 看 想 做 用 去 来 给 让 到 没有 可以 就是 知道 觉得 进行 大家 不是 应该 需要 可能 还有 看到
看看 一下 有点 没事 收到 好的 谢谢 辛苦 请问 麻烦 出来 起来 下来 过来 问题 时候 东西 感觉 开始 认为 哈哈 哈哈哈
有人 有没有 是不是 还是 不能 不会 不要 能够 成为 the a an and or but nor so yet if then else than that this
these those there here it its he she they them his her their you your yours we us our me my mine who whom whose
which what when where why how is am are was were be been being do does did done doing have has had having will
would shall should can could may might must not no yes ok okay of in on at by to from for with without about
into onto over under up down out off as just also too very really still again now ll re ve don didn doesn isn
wasn won aren couldn wouldn shouldn get got go going gone use used using like know think see say said want need
let make sure one two some any all more most much many few lot thing things way hi hello hey thanks thank please
sorry lol haha yeah yep nope well good because while after before only even same other another such both each
"""
_EMPTY: Final = frozenset(_FILLERS.split())
"""Words of such speech that say nothing of a topic, in Chinese and English."""

Vector = dict[str, float]


def summary_of(lines: Sequence[Line], *, messages: int = MESSAGES, keywords: int = KEYWORDS) -> Summary:
    """The ``messages`` most central of ``lines`` in their order, each with who said it and its link."""
    vectors = _vectors([words(line.text) for line in lines])
    scores = _centrality(vectors)
    chosen = sorted(_central(vectors, scores, messages)) or _first_words(lines)
    text = "\n".join(_quote(lines[index]) for index in chosen)
    cited = tuple(lines[index].message_id for index in chosen)
    return Summary(text, _keywords(vectors, scores, keywords), cited, "extractive")


class Extractive:
    """The summarizer that needs nothing and sends nothing anywhere."""

    def __init__(self, *, messages: int = MESSAGES, keywords: int = KEYWORDS) -> None:
        self._messages = messages
        self._keywords = keywords

    async def summarize(self, title: str, lines: Sequence[Line]) -> Summary:
        """The most central messages; ``title`` is the first of them already and adds nothing."""
        return summary_of(lines, messages=self._messages, keywords=self._keywords)


def words(text: str) -> list[str]:
    """The words of ``text`` that carry meaning, in their order, Latin ones in lower case."""
    return [word for word, speech in _tagged(_UNSAID.sub(" ", text[:READ])) if _carries(word, speech)]


def _tagged(text: str) -> Iterator[tuple[str, str]]:
    """Words with their part of speech; scripts the segmenter takes letter by letter are put together again."""
    import rjieba  # Its dictionary takes 0.2 s to load.

    letters = ""
    for word, speech in rjieba.tag(text):
        if speech == "x" and (word.isalpha() or (letters and word.isalnum())):
            letters += word
            continue
        if letters:
            yield letters.casefold(), "eng"
            letters = ""
        yield word.casefold(), speech
    if letters:
        yield letters.casefold(), "eng"


def _carries(word: str, speech: str) -> bool:
    return len(word) > 1 and speech.startswith(_SAYING) and word not in _EMPTY and not word.isnumeric()


def _vectors(spoken: Sequence[Sequence[str]]) -> list[Vector]:
    """A unit vector for each message: how often a word is used, times how special it is here and in general."""
    said_in = Counter(word for said in spoken for word in dict.fromkeys(said))
    weight = {word: _special(word) * log(1 + len(spoken) / count) for word, count in said_in.items()}
    vectors = []
    for said in spoken:
        vector = {word: sqrt(count) * weight[word] for word, count in Counter(said).items()}
        length = sqrt(sum(value * value for value in vector.values()))
        vectors.append({word: value / length for word, value in vector.items()})
    return vectors


def _special(word: str) -> float:
    """How little a word is used in general, in nats."""
    import rjieba

    known = rjieba.has_word(word)
    return log(_CORPUS / max(rjieba.suggest_freq(word) if known else _RARE, 1))


def _sum(vectors: Sequence[Vector]) -> Vector:
    total: Vector = {}
    for vector in vectors:
        for word, value in vector.items():
            total[word] = total.get(word, 0.0) + value
    return total


def _dot(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    return sum(value * other.get(word, 0.0) for word, value in one.items())


def _centrality(vectors: Sequence[Vector]) -> list[float]:
    """How much each message has in common with all others; 0 for one without words."""
    centre = _sum(vectors)
    scores = []
    for index, vector in enumerate(vectors):
        others = _dot(vector, centre) - 1.0  # A vector's product with itself is 1 and says nothing of the others.
        fullness = min(1.0, len(vector) / _FEW_WORDS)
        opening = _OPENING if index == 0 else 1.0
        scores.append(round((max(others, 0.0) + _ALONE) * fullness * opening, 9) if vector else 0.0)
    return scores


def _central(vectors: Sequence[Vector], scores: Sequence[float], limit: int) -> list[int]:
    """Positions of the most central messages that do not repeat each other, the most central first."""
    chosen: list[int] = []
    for index in sorted(range(len(scores)), key=lambda index: (-scores[index], index)):
        if len(chosen) == limit or not scores[index]:
            break
        if all(_dot(vectors[index], vectors[other]) < _SAME for other in chosen):
            chosen.append(index)
    return chosen


def _keywords(vectors: Sequence[Vector], scores: Sequence[float], limit: int) -> tuple[str, ...]:
    """The words that weigh most, each message counting as much as it is central."""
    weighted = zip(vectors, scores, strict=True)
    weights = _sum([{word: value * score for word, value in vector.items()} for vector, score in weighted])
    return tuple(sorted(weights, key=lambda word: -round(weights[word], 9))[:limit])


def _first_words(lines: Sequence[Line]) -> list[int]:
    """Where no message has a word that carries meaning (「收到」, emoji), the first that says anything at all."""
    return next(([index] for index, line in enumerate(lines) if line.text.strip()), [])


def _quote(line: Line) -> str:
    said = _SPACE.sub(" ", calling_nobody(line.text[:READ])).strip()
    said = said if len(said) <= QUOTE else f"{said[: QUOTE - 1].rstrip()}…"
    who = f"{calling_nobody(line.sender)}：" if line.sender else ""
    return f"{who}{said} {line.link}".rstrip()
