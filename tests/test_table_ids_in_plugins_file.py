"""A table's ID is written into ``plugins.toml`` in the operator's own way of writing it."""

from __future__ import annotations

import tomllib

import pytest

from core.errors import ConfigurationError
from core.running.sections import placed

WAYS = (
    '# Mine.\n[plugins.a]\nenabled = true\ntables.archive = ""  # messages\n\n[plugins.a.config]\nx = 1\n',
    '# Mine.\n[plugins.a.tables]\narchive = ""  # messages\n\n[plugins.b]\nenabled = true\n',
    '# Mine.\n[plugins]\na.enabled = true\na.tables.archive = ""  # messages\n',
    '# Mine.\nplugins.a = { enabled = true, tables = { archive = "" } }  # messages\n',
)


@pytest.mark.parametrize("text", WAYS)
def test_an_id_goes_where_it_stands_empty_and_a_new_one_beside_it(text: str) -> None:
    both = placed(placed(text, "a", "archive", "tbl1"), "a", "topics", "tbl2")
    before, after = tomllib.loads(text), tomllib.loads(both)
    assert after["plugins"]["a"].pop("tables") == {"archive": "tbl1", "topics": "tbl2"}
    del before["plugins"]["a"]["tables"]
    assert after == before
    assert both.startswith("# Mine.\n")
    assert "# messages" in both


def test_an_id_that_is_there_is_never_replaced() -> None:
    text = placed(WAYS[0], "a", "archive", "tbl1")
    assert placed(text, "a", "archive", "tbl1") == text
    with pytest.raises(ConfigurationError, match=r"tables\.archive of a is tbl1, and not tbl2"):
        placed(text, "a", "archive", "tbl2")
