"""The tables that users of the predecessor have (REFERENCE.md), ready in a base of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .bases import Bases
from .properties import ATTACHMENT, DATE_TIME, NUMBER, SINGLE_SELECT, TEXT, URL, USER

_MINUTE = {"date_formatter": "yyyy-MM-dd HH:mm"}
_COUNT = {"formatter": "0"}
_TOPIC_STATES = ("活跃", "沉默", "冷却")
_MESSAGE_TYPES = ("文本", "富文本", "图片", "文件", "音频", "视频", "表情包", "卡片", "其他")


def _field(name: str, type_: int, property_: dict[str, Any] | None = None) -> dict[str, Any]:
    field: dict[str, Any] = {"field_name": name, "type": type_}
    return {**field, "property": property_} if property_ else field


def _counts(*names: str) -> list[dict[str, Any]]:
    return [_field(name, NUMBER, _COUNT) for name in names]


def _choice(name: str, options: tuple[str, ...]) -> dict[str, Any]:
    return _field(name, SINGLE_SELECT, {"options": [{"name": option} for option in options]})


ACTIVITY = [
    _field("用户ID", TEXT),
    _field("用户名称", TEXT),
    _field("人员", USER, {"multiple": False}),
    _field("统计周期", TEXT),
    *_counts("发言次数", "发言字数", "被回复数", "单独被@次数", "发起话题数", "点赞数", "被点赞数", "被Pin次数"),
    _field("活跃度分数", NUMBER, {"formatter": "0.00"}),
    _field("更新时间", NUMBER, _COUNT),
]
ARCHIVE = [
    _field("消息ID", TEXT),
    _field("话题ID", TEXT),
    _field("父消息ID", TEXT),
    _field("发送者", USER, {"multiple": False}),
    _field("发送者姓名", TEXT),
    _field("消息内容", TEXT),
    _choice("消息类型", _MESSAGE_TYPES),
    _field("发送时间", DATE_TIME, _MINUTE),
    _field("统计月份", TEXT),
    _field("消息链接", URL),
    _field("附件信息", ATTACHMENT),
    _field("@的人", TEXT),
]
SUMMARY = [
    _field("话题ID", TEXT),
    _field("话题标题", TEXT),
    _field("发起人", USER, {"multiple": False}),
    _field("发起人姓名", TEXT),
    _field("创建时间", DATE_TIME, _MINUTE),
    _field("最后回复时间", DATE_TIME, _MINUTE),
    *_counts("回复数", "参与人数"),
    _field("参与者", TEXT),
    _choice("话题状态", _TOPIC_STATES),
    _field("统计月份", TEXT),
    _field("话题链接", URL),
    _field("摘要", TEXT),
    _field("关键词", TEXT),
]
PIN = [
    _field("Pin消息ID", TEXT),
    _field("消息内容", TEXT),
    _choice("消息类型", _MESSAGE_TYPES),
    _field("发送者ID", TEXT),
    _field("发送者姓名", TEXT),
    _field("Pin操作人ID", TEXT),
    _field("Pin操作人姓名", TEXT),
    _field("Pin时间", TEXT),
    _field("消息发送时间", TEXT),
    _field("消息链接", URL),
    _field("附件信息", ATTACHMENT),
    _field("归档时间", TEXT),
]


@dataclass(frozen=True, slots=True)
class ReferenceTables:
    """Where the four tables are: the app_token of their base and their table ids."""

    app_token: str
    activity: str
    archive: str
    summary: str
    pin: str


def create_reference_tables(bases: Bases) -> ReferenceTables:
    """A new base with the four tables, empty."""
    base = bases.create("群聊活跃度")
    base.default_table_id = base.create_table("活跃度", ACTIVITY).table_id
    return ReferenceTables(
        app_token=base.app_token,
        activity=base.default_table_id,
        archive=base.create_table("消息归档", ARCHIVE).table_id,
        summary=base.create_table("话题汇总", SUMMARY).table_id,
        pin=base.create_table("Pin归档", PIN).table_id,
    )
