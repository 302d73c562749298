"""What an extractive summary must be like: it quotes messages of its topic, in their order, and nothing else.

Which messages are the most central is a matter of taste and tested elsewhere; this says what no summary may get wrong.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

MOST = 3
QUOTE = 120

_MARKUP = re.compile(r"</?[A-Za-z][^<>]*>")


def rules(messages: Mapping[str, Mapping[str, Any]], names: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The rules for 摘要 and 关键词 by 话题ID; ``messages`` as ``archive_account.archive`` gives them."""
    topics: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in messages.values():
        if row["消息状态"] != "已撤回":
            topics[row["话题ID"]].append(row)
    return {
        topic_id: {"摘要": _summary_of(rows, names), "关键词": _keywords_of(rows)} for topic_id, rows in topics.items()
    }


def _summary_of(rows: list[Mapping[str, Any]], names: Mapping[str, str]) -> Callable[[str], bool]:
    by_link = {row["消息链接"]: row for row in rows}
    wordy = any(row["消息内容"].strip() for row in rows)

    def right(summary: str) -> bool:
        lines = summary.splitlines()
        if not lines or len(lines) > MOST:
            return not lines and not wordy
        times = []
        for line in lines:
            said, _, link = line.rpartition(" ")
            row = by_link.get(link)
            if row is None or not _quotes(said, names.get(row["发送者姓名"], ""), row["消息内容"]):
                return False
            times.append(row["发送时间"])
        return times == sorted(times)

    return right


def _quotes(line: str, name: str, text: str) -> bool:
    """Whether the line is ``name：beginning of the text``, spaces and markup aside."""
    head, found, quote = line.partition("：")
    if not found or _bare(head) != _bare(name):
        return False
    whole = quote.endswith("…") and len(quote) <= QUOTE
    return _bare(text).startswith(_bare(quote.removesuffix("…") if whole else quote)) or _bare(quote) == _bare(text)


def _keywords_of(rows: list[Mapping[str, Any]]) -> Callable[[str], bool]:
    def right(keywords: str) -> bool:
        said = _bare(" ".join(row["消息内容"] for row in rows))
        return len(keywords.split(", ")) <= 5 and all(_bare(word) in said for word in keywords.split(", "))

    return right


def _bare(text: str) -> str:
    """Without spaces, markup and @all, in lower case: what is left out of quotes on purpose."""
    bare = _MARKUP.sub("", text)
    return re.sub(r"\s|@所有人|@_?(?:all|everyone|here|channel)(?![a-z0-9])", "", bare, flags=re.IGNORECASE).casefold()
