"""How columns become Bitable cells and cells become values (FEISHU.md §5.4)."""

from __future__ import annotations

from typing import Any

import pytest

from core.feishu import cells
from core.feishu.cells import ATTACHMENT, DATE_TIME, NUMBER, PERSON, SINGLE_SELECT, TEXT, URL
from core.table import (
    Attachments,
    Choice,
    Column,
    Json,
    Link,
    Number,
    PersonCell,
    PersonName,
    PersonNames,
    Text,
    Timestamp,
)

SITE = "https://applink.feishu.cn/client/chat/open?openChatId=oc_1&messageId=om_1"
FILE = {"file_token": "boxcn1", "name": "图.png", "size": 3, "type": "image/png"}


@pytest.mark.parametrize(
    ("column", "kinds"),
    [
        (Text("c"), (TEXT, SINGLE_SELECT)),
        (Choice("c"), (SINGLE_SELECT, TEXT)),
        (Link("c"), (URL, TEXT)),
        (Number("c"), (NUMBER,)),
        (Timestamp("c"), (DATE_TIME, NUMBER)),
        (PersonName("c", of="u"), (TEXT, SINGLE_SELECT)),
        (PersonNames("c", of="u"), (TEXT,)),
        (PersonCell("c", of="u"), (PERSON,)),
        (Attachments("c"), (ATTACHMENT,)),
        (Json("c"), ()),
    ],
)
def test_field_types_are_accepted_best_first_and_have_names(column: Column, kinds: tuple[int, ...]) -> None:
    assert cells.accepted(column) == kinds
    assert [cells.type_name(kind) for kind in kinds if cells.type_name(kind).startswith("type")] == []


@pytest.mark.parametrize(
    ("column", "kind", "value", "cell"),
    [
        (Text("c"), TEXT, "你好", "你好"),
        (Text("c"), TEXT, "", None),
        (Choice("c"), SINGLE_SELECT, "活跃", "活跃"),
        (Choice("c"), TEXT, "活跃", "活跃"),
        (Choice("c"), SINGLE_SELECT, "", None),
        (Link("c"), URL, SITE, {"link": SITE, "text": SITE}),
        (Link("c"), TEXT, SITE, SITE),
        (Link("c"), URL, "", None),
        (Number("c", places=2), NUMBER, 1.005, 1.0),
        (Timestamp("c"), DATE_TIME, None, None),
        (PersonNames("c", of="u"), TEXT, "李, 王", "李, 王"),
        (PersonNames("c", of="u"), TEXT, "", None),
        (PersonCell("c", of="u"), PERSON, "ou_1", [{"id": "ou_1"}]),
        (PersonCell("c", of="u"), PERSON, "", None),
        (Attachments("c"), ATTACHMENT, [FILE, {"name": "失败.zip", "file_token": ""}, {}], [{"file_token": "boxcn1"}]),
        (Attachments("c"), ATTACHMENT, [{"name": "失败.zip"}], None),
        (Attachments("c"), ATTACHMENT, (), None),
    ],
)
def test_values_are_written_as_the_platform_takes_them(column: Column, kind: int, value: Any, cell: Any) -> None:
    assert cells.written(column, value, kind) == cell


@pytest.mark.parametrize("column", [Text("c"), Choice("c"), Link("c"), PersonNames("c", of="u")])
def test_text_beyond_a_cell_ends_with_dots(column: Column) -> None:
    whole = "深" * cells.LONGEST_TEXT
    assert cells.written(column, whole, TEXT) == whole
    cut = cells.written(column, f"{whole}深", TEXT)
    assert cut == whole[:-1] + "…"
    assert len(cut) == 100_000


def test_files_beyond_a_cell_are_left_out() -> None:
    files = [{"file_token": f"box{number}"} for number in range(101)]
    assert cells.written(Attachments("c"), files, ATTACHMENT) == files[:100]


SEGMENTS = [{"type": "text", "text": "甲"}, {"type": "mention", "text": "@乙", "token": "ou_1"}, "?"]


@pytest.mark.parametrize(
    ("column", "cell", "value"),
    [
        (Text("c"), SEGMENTS, "甲@乙"),
        (Text("c"), "选项", "选项"),
        (Text("c"), None, ""),
        (Choice("c", options=("活跃",)), "别的", "别的"),
        (Choice("c"), SEGMENTS, "甲@乙"),
        (Choice("c"), None, ""),
        (Link("c"), {"link": SITE, "text": "打开"}, SITE),
        (Link("c"), {"text": "打开"}, ""),
        (Link("c"), [{"type": "text", "text": "见 "}, {"type": "url", "link": SITE, "text": "打开"}], SITE),
        (Link("c"), [{"type": "text", "text": SITE}], SITE),
        (Link("c"), None, ""),
        (PersonCell("c", of="u"), [{"id": "ou_1", "name": "李"}, {"id": "ou_2"}], "ou_1"),
        (PersonCell("c", of="u"), [{"name": "外部"}], ""),
        (PersonCell("c", of="u"), None, ""),
        (Attachments("c"), [{**FILE, "url": "u", "tmp_url": "t"}, {"name": "无"}, 5], [FILE]),
        (Attachments("c"), [{"file_token": "boxcn2"}], [{"file_token": "boxcn2"}]),
        (Attachments("c"), None, []),
        (Json("c"), "what", None),
    ],
)
def test_cells_are_read_as_search_gives_them(column: Column, cell: Any, value: Any) -> None:
    assert cells.read(column, cell) == value
