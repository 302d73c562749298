"""The people of the bundled group: who they are, what they do, how much they talk, and when they are there."""

from __future__ import annotations

import random
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from .act import Person
from .ids import person

SHANGHAI = ZoneInfo("Asia/Shanghai")


def shanghai(text: str) -> int:
    """ms UTC of a local time, e.g. ``2026-09-30 23:59:59.900``."""
    return round(datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).timestamp() * 1000)


BEGIN = shanghai("2026-09-01 00:00")
END = shanghai("2026-11-01 00:00")
"""The first ms after the scenario."""

SILENT = "沉默"
"""The role of those who read and never write."""


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody in the group, between ``joined`` and ``left`` (ms UTC)."""

    person: Person
    role: str
    talks: float
    """A weight: 1 is usual."""
    joined: int = BEGIN
    left: int = END
    technical: bool = False
    """Also in the topic group."""

    def present(self, at: int) -> bool:
        return self.joined <= at < self.left


INTERN_JOINS = shanghai("2026-09-07 09:58")
NEWCOMER_JOINS = shanghai("2026-10-12 10:02")
OPERATOR_LEAVES = shanghai("2026-10-16 18:30")
GUEST_REMOVED = shanghai("2026-09-22 15:10")

# (key, name, English name, role, talks, technical); namesakes have keys of their own.
_ROLL = (
    ("zhou", "周启明", "Qiming Zhou", "老板", 0.6, False),
    ("lin", "林悦", "Yue Lin", "项目经理", 1.6, True),
    ("su", "苏晴", "Qing Su", "产品", 1.7, True),
    ("he", "何子昂", "Ziang He", "产品", 1.0, True),
    ("zhang", "张伟", "Wei Zhang", "后端", 1.5, True),
    ("liu", "刘洋", "Yang Liu", "后端", 1.2, True),
    ("sun", "孙浩然", "Haoran Sun", "后端", 0.8, True),
    ("ayiguli", "阿依古丽·买买提", "Ayigul Mamat", "后端", 0.9, True),
    ("qian", "钱坤", "Kun Qian", "后端", 0.9, True),
    ("chen-web", "陈晨", "Chen Chen", "前端", 1.4, True),
    ("wang", "王思远", "Siyuan Wang", "前端", 1.1, True),
    ("xu", "徐佳怡", "Jiayi Xu", "前端", 1.0, True),
    ("kevin", "Kevin Zhang", "Kevin Zhang", "前端", 0.5, True),
    ("li", "李娜", "Na Li", "测试", 1.3, True),
    ("guo", "郭小雨", "Xiaoyu Guo", "测试", 1.0, True),
    ("wu", "吴桐", "Tong Wu", "设计", 1.0, False),
    ("shen", "沈若琳", "Ruolin Shen", "设计", 0.8, False),
    ("zhao", "赵铁军", "Tiejun Zhao", "运维", 1.1, True),
    ("ma", "马超", "Chao Ma", "运维", 0.7, True),
    ("huang", "黄锐", "Rui Huang", "数据", 0.7, True),
    ("chen-ops", "陈晨", "Morning Chen", "运营", 0.9, False),
    ("feng", "冯雪", "Xue Feng", "运营", 1.0, False),
    ("tang", "唐一诺", "Yinuo Tang", "实习生", 1.2, True),
    ("ding", "丁玲", "Ling Ding", "行政", 0.8, False),
    ("zheng", "郑国栋", "Guodong Zheng", SILENT, 0.0, False),
    ("xie", "谢芸", "Yun Xie", SILENT, 0.0, False),
    ("han", "韩冰", "Bing Han", SILENT, 0.0, False),
    ("cao", "曹立", "Li Cao", SILENT, 0.0, False),
)
_JOINED = {"tang": INTERN_JOINS, "qian": NEWCOMER_JOINS}
_LEFT = {"ma": OPERATOR_LEAVES, "cao": GUEST_REMOVED}

ROLES = tuple(dict.fromkeys(row[3] for row in _ROLL if row[3] != SILENT))
ANYBODY = "路人"
"""A role that everyone who talks can take."""


def members(seed: int) -> tuple[Member, ...]:
    """All 28, also those who come later."""
    return tuple(
        Member(person(seed, key, name, en_name), role, talks, _JOINED.get(key, BEGIN), _LEFT.get(key, END), technical)
        for key, name, en_name, role, talks, technical in _ROLL
    )


def choose(role: str, among: tuple[Member, ...], at: int, taken: Collection[Member], chance: random.Random) -> Member:
    """Somebody there who has the role and is not taken yet; where there is none, anybody who talks."""
    there = [each for each in among if each.talks and each.present(at) and each not in taken]
    fitting = [each for each in there if each.role == role] or there
    return chance.choices(fitting, [each.talks for each in fitting])[0]
