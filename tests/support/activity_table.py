"""The activity table as the sandbox's Bitable shows it, beside what the events say it must be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from reference_fold import WEIGHTS, fold, score


def shown(items: Iterable[dict[str, Any]]) -> dict[tuple[str, str], dict[str, float]]:
    """Counters and score by (用户ID, 统计周期), rows of zeros left out; fails when a key is there twice."""
    table: dict[tuple[str, str], dict[str, float]] = {}
    keys = set()
    for item in items:
        fields = item["fields"]
        key = (_text(fields["用户ID"]), _text(fields["统计周期"]))
        assert key not in keys, f"{key} is in Bitable twice"
        keys.add(key)
        row = {name: fields.get(name, 0) for name in (*WEIGHTS, "活跃度分数")}
        if any(row.values()):
            table[key] = row
    return table


def expected(events: Iterable[dict[str, Any]]) -> dict[tuple[str, str], dict[str, float]]:
    """The same, folded from the events."""
    return {key: {**counters, "活跃度分数": score(counters)} for key, counters in fold(events).items()}


def names(items: Iterable[dict[str, Any]]) -> dict[str, str]:
    """用户名称 by 用户ID."""
    return {_text(item["fields"]["用户ID"]): _text(item["fields"].get("用户名称")) for item in items}


def _text(cell: Any) -> str:
    return "".join(part["text"] for part in cell or ())
