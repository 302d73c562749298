"""The field's scores for conversation disentanglement, as in Kummerfeld et al. (ACL 2019).

A clustering says of each message which conversation it is in: a list of labels, one for each message, in order.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

Labels = Sequence[Hashable]


@dataclass(frozen=True, slots=True)
class Scores:
    """All in percent, more is better."""

    information: float
    """1 - variation of information / log2(messages): 100 when both clusterings are the same."""
    one_to_one: float
    """Messages that agree under the best pairing of conversations, each with one at the most."""
    precision: float
    """Of the conversations found, those of which every message is right."""
    recall: float
    exact: float
    """F1 of the two; conversations of a single message do not count."""


def compare(gold: Labels, found: Labels) -> Scores:
    """How near ``found`` comes to ``gold``; labels of different groups must differ."""
    if len(gold) != len(found) or not gold:
        raise ValueError(f"{len(gold)} and {len(found)} labels; as many of both, and some, are needed")
    both = Counter(zip(gold, found, strict=True))
    ours, theirs = Counter(found), Counter(gold)
    total = len(gold)
    variation = sum(
        count / total * math.log2(theirs[left] * ours[right] / count**2) for (left, right), count in both.items()
    )
    several = sum(size > 1 for size in ours.values())
    wanted = sum(size > 1 for size in theirs.values())
    same = sum(count == theirs[left] == ours[right] > 1 for (left, right), count in both.items())
    return Scores(
        information=100 - 100 * variation / math.log2(total) if total > 1 else 100.0,
        one_to_one=100 * heaviest_matching(both) / total,
        precision=100 * same / several if several else 0.0,
        recall=100 * same / wanted if wanted else 0.0,
        exact=200 * same / (several + wanted) if several + wanted else 0.0,
    )


def heaviest_matching(weights: Mapping[tuple[Hashable, Hashable], int]) -> int:
    """The weight of the heaviest matching of a bipartite graph with positive weights.

    What is not connected is matched apart, which keeps each assignment small.
    """
    neighbours: dict[tuple[bool, Hashable], list[tuple[bool, Hashable]]] = {}
    for left, right in weights:
        neighbours.setdefault((True, left), []).append((False, right))
        neighbours.setdefault((False, right), []).append((True, left))
    total = 0
    while neighbours:
        waiting = [next(iter(neighbours))]
        island = set(waiting)
        while waiting:
            for node in neighbours.pop(waiting.pop()):
                if node not in island:
                    island.add(node)
                    waiting.append(node)
        lefts = [name for is_left, name in island if is_left]
        rights = [name for is_left, name in island if not is_left]
        if len(lefts) > len(rights):
            table = [[weights.get((left, right), 0) for left in lefts] for right in rights]
        else:
            table = [[weights.get((left, right), 0) for right in rights] for left in lefts]
        total += _assigned(table)
    return total


def _assigned(table: Sequence[Sequence[int]]) -> int:
    """The most that one column for each row, all different, can sum up to; no more rows than columns.

    The Hungarian method: rows join one after another, each by the shortest augmenting path (O(rows² · columns)).
    """
    columns = len(table[0])
    row_price, column_price = [0] * len(table), [0] * (columns + 1)
    owner = [-1] * (columns + 1)  # The last column is a place to start from.
    for row in range(len(table)):
        owner[columns] = row
        slack, before = [math.inf] * columns, [columns] * columns
        visited: list[int] = []
        free, at = set(range(columns)), columns
        while owner[at] >= 0:
            visited.append(at)
            free.discard(at)
            here = owner[at]
            for column in free:
                cost = -table[here][column] - row_price[here] - column_price[column]
                if cost < slack[column]:
                    slack[column], before[column] = cost, at
            nearest = min(free, key=slack.__getitem__)
            step = int(slack[nearest])
            for column in visited:
                row_price[owner[column]] += step
                column_price[column] -= step
            for column in free:
                slack[column] -= step
            at = nearest
        while at != columns:
            owner[at], at = owner[before[at]], before[at]
    return sum(table[row][column] for column, row in enumerate(owner[:columns]) if row >= 0)
