"""How well ``plugins/archive/grouping.py`` finds conversations, against annotated replies.

    python benchmarks/grouping.py [FILE.jsonl.gz] [--messages N] [--learn [--seed S]]

The file holds logs of one channel; in each, the messages from number 1000 on are annotated with what they reply to.
The logs are dealt out alternately, by date: ``--learn`` finds the points of the rule on the first half and prints them
as source; the table is of the second half. The rule sees sender, time, text and mentions, never an annotation.
"""

from __future__ import annotations

import argparse
import gzip
import itertools
import json
import math
import random
import re
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]

from benchmarks.disentanglement import Scores, compare  # noqa: E402
from plugins.archive.grouping import RULE, Recent, Rule, Said, candidates, packed, place  # noqa: E402
from plugins.archive.words import asks, words_of  # noqa: E402

DEFAULT = ROOT.parent / "shared" / "data" / "group-chat.jsonl.gz"
ANNOTATED_FROM = 1000
CONTEXT = 200
"""Messages before the annotated ones that a log is played from, to fill the window."""

PAPER = """
Kummerfeld et al. 2019, tables 3 and 4 (the corpus's own test set, other logs than these)
Previous message                    66.1    27.6    0.0   35.0
Lowe et al. 2017 (heuristic)        80.6    53.7    8.9
Elsner and Charniak 2008            82.1    51.4   15.5
Linear                              88.9    69.5   21.8   63.5
Feedforward                         91.3    75.6   36.2   72.3
Feedforward, vote of ten            91.5    76.0   38.0   73.5

These logs are of the same channel and annotation, from the corpus's training part: each annotated by one person, here
without the system messages, and with one parent a message at the most.
"""


@dataclass(frozen=True, slots=True)
class Line:
    """A message and what its annotation says it replies to (empty = it begins a conversation)."""

    said: Said
    parent: str
    annotated: bool


Log = Sequence[Line]
Grouper = Callable[[Log], list[Said]]
"""Places every message of a log."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path, default=DEFAULT)
    parser.add_argument("--messages", type=int, default=None, help="only the first N messages (default: all)")
    parser.add_argument("--learn", action="store_true", help="learn the points anew, print and measure them")
    parser.add_argument("--seed", type=int, default=1, help="the order of examples while learning")
    options = parser.parse_args()
    if not options.file.exists():
        print(f"skipped: {options.file} is not there")
        return 0
    logs = read(options.file, options.messages)
    if not logs:
        print(f"no annotated messages: each log has its first after {ANNOTATED_FROM:,} others; take a larger N or none")
        return 2
    learned_on, measured_on = logs[0::2], logs[1::2] or logs
    if options.learn:
        points = learn(learned_on, options.seed)
        print("\n".join(f'        "{trait}": {value},' for trait, value in points.items()))
        report(learned_on, measured_on, replace(RULE, points=points))
    else:
        report(learned_on, measured_on, RULE)
    return 0


def read(file: Path, limit: int | None) -> list[Log]:
    """The logs by date, without what is long before their annotated part."""
    logs: dict[str, list[Line]] = defaultdict(list)
    opened = gzip.open if file.suffix == ".gz" else open
    with opened(file, "rt", encoding="utf-8") as lines:
        for row in map(json.loads, itertools.islice(lines, limit)):
            log, number = row["id"].rsplit(":", 1)
            names = frozenset(row["mentions"])
            said = Said(
                row["id"],
                row["user"],
                row["ts"],
                words_of(row["text"]) - {name.lower() for name in names},
                names - {row["user"]},
                asks(row["text"]),
            )
            logs[log].append(Line(said, row["reply_to"] or "", int(number) >= ANNOTATED_FROM))
    parts: list[Log] = []
    for _, log in sorted(logs.items()):
        start = sum(not line.annotated for line in log)
        if start < len(log):
            parts.append(log[max(0, start - CONTEXT) :])
    return parts


def report(learned_on: Sequence[Log], measured_on: Sequence[Log], rule: Rule) -> None:
    gap = max((1, 2, 3, 5, 10, 30), key=lambda minutes: measure(learned_on, by_gap(minutes))[0].one_to_one)
    rows: list[tuple[str, Sequence[Log], Grouper]] = [
        ("every message alone", measured_on, alone),
        ("all in one", measured_on, together),
        ("the previous message", measured_on, previous),
        (f"silence of {gap} min parts them", measured_on, by_gap(gap)),
        ("whom it names, else its sender", measured_on, by_name),
        ("plugins/archive/grouping.py", measured_on, by_rule(rule)),
        ("  the same, on the half learned on", learned_on, by_rule(rule)),
    ]
    annotated = sum(line.annotated for log in measured_on for line in log)
    print(f"{annotated:,} annotated messages in {len(measured_on)} logs\n")
    print(f"{'':<34}{'1-VI':>6}{'1-1':>8}{'F1':>7}{'link':>7}")
    for name, logs, grouper in rows:
        scores, links = measure(logs, grouper)
        print(f"{name:<34}{scores.information:>6.1f}{scores.one_to_one:>8.1f}{scores.exact:>7.1f}{links:>7.1f}")
    print(PAPER)
    cost(measured_on[:10], rule)


def measure(logs: Sequence[Log], grouper: Grouper) -> tuple[Scores, float]:
    """The scores, and the percentage of messages whose parent, or having none, is as annotated."""
    gold: list[str] = []
    found: list[str] = []
    right = 0
    for log in logs:
        roots: dict[str, str] = {}
        for line, placed in zip(log, grouper(log), strict=True):
            root = roots.get(line.parent, line.parent or line.said.message_id)
            roots[line.said.message_id] = root
            if line.annotated:
                gold.append(root)
                found.append(placed.root)
                right += placed.parent == line.parent
    return compare(gold, found), 100 * right / len(gold)


def by_rule(rule: Rule) -> Grouper:
    def grouper(log: Log) -> list[Said]:
        recent: Recent = ()
        found = []
        for line in log:
            recent, placed = place(recent, line.said, rule)
            found.append(placed)
        return found

    return grouper


def alone(log: Log) -> list[Said]:
    return [replace(line.said, root=line.said.message_id) for line in log]


def together(log: Log) -> list[Said]:
    return [replace(line.said, root=log[0].said.message_id) for line in log]


def previous(log: Log) -> list[Said]:
    return by_gap(0)(log)


def by_gap(minutes: int) -> Grouper:
    """To the previous message, unless it is more than ``minutes`` old (0 = however old)."""

    def parents(log: Log) -> Iterator[str]:
        yield ""
        for before, line in itertools.pairwise(log):
            near = not minutes or line.said.time - before.said.time <= minutes * 60_000
            yield before.said.message_id if near else ""

    return lambda log: _linked(log, parents(log))


def by_name(log: Log) -> list[Said]:
    """To the latest message of somebody it names, else of its own sender: what needs no learning."""

    def parents() -> Iterator[str]:
        latest: dict[str, tuple[int, str]] = {}
        for at, line in enumerate(log):
            named = [latest[name] for name in line.said.mentions if name in latest]
            yield max(named)[1] if named else latest.get(line.said.sender, (0, ""))[1]
            latest[line.said.sender] = (at, line.said.message_id)

    return _linked(log, parents())


def _linked(log: Log, parents: Iterable[str]) -> list[Said]:
    roots: dict[str, str] = {}
    found = []
    for line, parent in zip(log, parents, strict=True):
        root = roots.get(parent, line.said.message_id)
        roots[line.said.message_id] = root
        found.append(replace(line.said, parent=parent, root=root))
    return found


def cost(logs: Sequence[Log], rule: Rule) -> None:
    spent, count, largest = 0.0, 0, 0
    for log in logs:
        recent: Recent = ()
        began = time.perf_counter()
        for line in log:
            recent, _ = place(recent, line.said, rule)
        spent += time.perf_counter() - began
        count += len(log)
        largest = max(largest, len(json.dumps(packed(recent), ensure_ascii=False).encode()))
    print(
        f"{1000 * spent / count:.2f} ms a message; the state of a group is {largest / 1024:.1f} KB of JSON at the most"
    )


def learn(logs: Sequence[Log], seed: int, rounds: int = 4) -> dict[str, float]:
    """Points under which the annotated candidate is likely: a softmax over the candidates, by AdaGrad."""
    numbers: dict[str, int] = {}
    examples = list(_examples(logs, numbers))
    points = [0.0] * len(numbers)
    squares = [1e-6] * len(numbers)
    shuffled = random.Random(seed)
    for _ in range(rounds):
        shuffled.shuffle(examples)
        for options, right in examples:
            sums = [sum(points[trait] for trait in option) for option in options]
            most = max(sums)
            likely = [math.exp(value - most) for value in sums]
            whole = sum(likely)
            slope: dict[int, float] = defaultdict(float)
            for at, option in enumerate(options):
                share = likely[at] / whole - (at == right)
                if abs(share) > 1e-4:
                    for trait in option:
                        slope[trait] += share
            for trait, steep in slope.items():
                steep += 1e-4 * points[trait]
                squares[trait] += steep * steep
                points[trait] -= 0.1 * steep / math.sqrt(squares[trait])
    return _anchored({trait: points[number] for trait, number in numbers.items()})


def _examples(logs: Sequence[Log], numbers: dict[str, int]) -> Iterator[tuple[list[tuple[int, ...]], int]]:
    """The candidates of each annotated message by their traits, and which is right; those out of reach are left out."""
    known: dict[tuple[int, ...], tuple[int, ...]] = {}
    for log in logs:
        recent: Recent = ()
        for line in log:
            if line.annotated:
                found = list(candidates(line.said, recent, RULE))
                ids = [candidate for candidate, _ in found]
                if line.parent in ids:
                    options = [
                        tuple(numbers.setdefault(trait, len(numbers)) for trait in traits) for _, traits in found
                    ]
                    yield [known.setdefault(option, option) for option in options], ids.index(line.parent)
            root = next((said.root for said in recent if said.message_id == line.parent), line.said.message_id)
            recent = (*recent, replace(line.said, parent=line.parent, root=root))[-RULE.window :]


def _anchored(points: dict[str, float]) -> dict[str, float]:
    """The same choices with each first step of distance, gap and shared words, and the sender's circle, at 0."""
    zeros = ("circle: sender speaks in it", "distance: up to 1", "gap: up to 1", "shared: up to 0")
    shifts = {zero.split(":")[0]: points.get(zero, 0.0) for zero in zeros}
    shifts["begins"] = sum(shifts.values())
    anchored = {trait: round(value - shifts.get(trait.split(":")[0], 0.0), 1) + 0.0 for trait, value in points.items()}
    return dict(sorted(anchored.items(), key=lambda item: _reading_order(item[0])))


def _reading_order(trait: str) -> tuple[int, bool, int, str]:
    kinds = ("own", "other", "circle", "shared", "it asks", "distance", "gap", "begins")
    number = re.search(r"\d+", trait)
    return kinds.index(trait.split(":")[0]), trait.endswith("more"), int(number[0]) if number else 0, trait


if __name__ == "__main__":
    sys.exit(main())
