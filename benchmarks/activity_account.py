"""The activity table as a scenario demands it, counted independently of the program, and how a found one differs."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from act_events import events_of  # noqa: E402
from reference_fold import WEIGHTS, fold, score  # noqa: E402

from sandbox.scenario.act import Scenario  # noqa: E402

Counters = dict[tuple[str, str], dict[str, int]]
Cells = dict[str, Any]


def account(scenario: Scenario, *, pins: bool) -> Counters:
    """Counters by (open_id, month), with 被Pin次数 where ``pins`` are watched."""
    return fold(events_of(scenario.acts(), pins=pins))


def cells_by_key(records: Iterable[dict[str, Any]]) -> dict[tuple[str, str], Cells | list[Cells]]:
    """The cells of every record by (open_id, month); a list where a row is there twice."""
    rows: dict[tuple[str, str], Any] = {}
    for record in records:
        fields = record["fields"]
        key = (_text(fields["用户ID"]), _text(fields["统计周期"]))
        rows[key] = [rows[key], fields] if key in rows else fields
    return rows


def differences(expected: Counters, found: dict[tuple[str, str], Any]) -> list[str]:
    """One line for every row that is not as it should be."""
    lines = []
    for key in sorted(expected.keys() | found.keys()):
        cells = found.get(key)
        counters = expected.get(key, dict.fromkeys(WEIGHTS, 0))
        wanted = {**counters, "活跃度分数": score(counters)}
        if cells is None:
            lines.append(f"{key}: missing, should be {wanted}")
        elif isinstance(cells, list):
            lines.append(f"{key}: {len(cells)} rows")
        elif any(cells.get(name, 0) != value for name, value in wanted.items()):
            shown = {name: cells.get(name, 0) for name in wanted}
            lines.append(f"{key}: {shown}, should be {wanted}")
    return lines


def _text(cell: Any) -> str:
    return cell if isinstance(cell, str) else "".join(part["text"] for part in cell)
