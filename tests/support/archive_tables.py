"""The rows of the archive plugin beside what the account says, in the same words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Row = dict[str, Any]


def archived(rows: Mapping[str, Row]) -> dict[str, Row]:
    """Rows of the archive table as the account gives them; 消息内容 of other types than text is left out."""
    return {
        message_id: {
            "话题ID": row["topic_id"],
            "父消息ID": row["parent_id"],
            "发送者": row["person_id"],
            "发送者姓名": row["sender_id"],
            "消息内容": row["content"] if row["message_type"] == "text" or not row["content"] else None,
            "消息类型": row["message_type"],
            "发送时间": row["created"],
            "统计月份": row["month"],
            "消息链接": row["link"],
            "@的人": row["mentioned"],
            "消息状态": row["status"],
            "编辑时间": row["edited"],
        }
        for message_id, row in rows.items()
    }


def told(rows: Mapping[str, Row], messages: Mapping[str, Row]) -> dict[str, Row]:
    """Rows of the topic table likewise; 话题标题 of a root that is no text is left out."""
    return {
        topic_id: {
            "话题标题": _title(row, messages.get(topic_id)),
            "发起人": row["person_id"],
            "创建时间": row["created"],
            "最后回复时间": row["last_reply"],
            "回复数": row["replies"],
            "参与人数": row["people"],
            "参与者": row["participants"],
            "话题状态": row["status"],
            "统计月份": row["month"],
            "话题链接": row["link"],
        }
        for topic_id, row in rows.items()
    }


def _title(row: Row, root: Row | None) -> str | None:
    unread = root is not None and root["message_type"] != "text" and root["content"]
    return None if unread else row["title"]
