"""As many people as it takes, who talk as much as it takes: a scenario of any length, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from sandbox.scenario import jsonl
from sandbox.scenario.act import Act, Scenario

GROUPS = ("研发", "运营")
PEOPLE = tuple(f"成员{number:02}" for number in range(1, 61))
_SUBJECTS = ("登录页", "结算接口", "周报", "灰度发布", "告警", "数据导出", "会议纪要", "评审", "排期", "压测")
_PREDICATES = ("今天上线", "还有一个问题", "已经修好了", "需要再看一下", "数据对不上", "大家有空吗", "明天继续")
_DETAILS = (
    "",
    "，请看附件说明",
    "，影响不大",
    "，回滚也可以",
    "，先记下来",
    "！",
    "？",
    "，见 https://example.com/a?b=1",
)
RATES = jsonl.Rates(reactions=0.12, removals=0.15, recalls=0.01, pins=0.002, unpins=0.3)


@dataclass(frozen=True, slots=True)
class Crowd:
    """What a crowd says between ``begin`` and ``end``, and what follows it until then; times in ms UTC."""

    messages: int
    begin: int
    gap: float
    """ms between two messages on average."""
    seed: int = 1
    pins: float = RATES.pins
    """Of the messages."""

    @property
    def end(self) -> int:
        """When the last message is said, and nothing happens any more."""
        return round(self.begin + self.messages * self.gap)

    def scenario(self, directory: Path) -> Scenario:
        """The crowd as a scenario; its messages are written to a file in ``directory``."""
        file = directory / f"crowd-{self.seed}-{self.messages}.jsonl"
        with file.open("wb") as target:
            target.writelines(orjson.dumps(line) + b"\n" for line in self._lines())
        whole = jsonl.load(file, seed=self.seed, rates=replace(RATES, pins=self.pins))

        def acts() -> Iterator[Act]:
            return (act for act in whole.acts() if act.at <= self.end)

        return replace(whole, acts=acts, total=sum(1 for _ in acts()))

    def _lines(self) -> Iterator[dict[str, Any]]:
        chance = random.Random(f"crowd {self.seed}")
        recent: dict[str, list[str]] = {group: [] for group in GROUPS}
        for number in range(self.messages):
            group = chance.choices(GROUPS, (3, 1))[0]
            said = recent[group]
            words = "".join(map(chance.choice, (_SUBJECTS, _PREDICATES, _DETAILS)))
            line: dict[str, Any] = {
                "id": f"m{number}",
                "chat": group,
                "ts": round(self.begin + number * self.gap),
                "user": chance.choice(PEOPLE),
                "text": f"{words} #{number}",
            }
            if said and chance.random() < 0.3:
                line["reply_to"] = chance.choice(said)
            if chance.random() < 0.1:
                line["mentions"] = chance.sample(PEOPLE, chance.choice((1, 1, 2, 3)))
            said.append(line["id"])
            del said[:-30]
            yield line
