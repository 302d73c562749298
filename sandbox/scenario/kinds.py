"""A message of each type that the scripts do not write, and what the merged forwards hold (FEISHU.md §2.3)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from .act import EVERYONE, Forwarded, Mention, Resource, Say
from .cast import Member, shanghai
from .ids import identity
from .stage import Stage

MERGED = {"content": "Merged and Forwarded Message"}
FORWARDED = 4
"""Messages in a forward that a script asks for."""
_PLAIN = ("text", "post", "image", "file")


def play(group: Stage, corner: Stage) -> None:
    """Adds the messages to the group and fills its forwards with what was said in the topic group."""
    for when, role, type_, content in _messages(group, corner):
        _say(group, when, role, type_, content)
    _files(group)
    _nested(group)
    for number, said in enumerate(group.says):
        if said.type == "merge_forward" and not said.forwarded:
            group.says[number] = replace(said, forwarded=_before(said, corner, group))


def _messages(group: Stage, corner: Stage) -> list[tuple[str, str, str, dict[str, Any]]]:
    begin, end = (str(shanghai(f"2026-10-22 {at}")) for at in ("15:00", "16:30"))
    colleague = _member(group, "设计").person
    return [
        ("2026-10-20 09:41", "设计", "folder", {"file_key": _key("file_v3_", "folder"), "file_name": "图标终稿"}),
        ("2026-10-20 10:12", "项目经理", "share_chat", {"chat_id": corner.chat.chat_id}),
        ("2026-10-20 11:05", "数据", "interactive", {
            "title": "周数据看板",
            "elements": [
                [{"tag": "text", "text": "搜索点击率 57%，较上周 +3.1%"}],
                [{"tag": "hr"}],
                [{"tag": "img", "image_key": _key("img_v3_", "card")}],
                [{"tag": "button", "text": "打开看板", "type": "primary"}],
                [{"tag": "note", "elements": [{"tag": "text", "text": "数据截至昨日 24 点"}]}],
            ],
        }),
        ("2026-10-20 14:20", "行政", "share_calendar_event",
         {"summary": "季度团建筹备会", "start_time": begin, "end_time": end}),
        ("2026-10-20 14:26", "项目经理", "calendar", {"summary": "2.1 规划会", "start_time": begin, "end_time": end}),
        ("2026-10-20 14:31", "产品", "general_calendar", {"summary": "客户走访", "start_time": begin, "end_time": end}),
        ("2026-10-20 15:02", "后端", "video_chat", {"topic": "搜索改版联调", "start_time": begin}),
        ("2026-10-20 16:10", "测试", "todo", {
            "task_id": "d300a75f-c56a-4be9-80d1-e47653028ceb",
            "summary": {
                "title": "",
                "content": [[{"tag": "text", "text": "补全压测报告，", "style": []},
                             {"tag": "at", "user_id": colleague.open_id, "user_name": colleague.name}]],
            },
            "due_time": str(shanghai("2026-10-23 18:00")),
        }),
        ("2026-10-20 17:45", "老板", "hongbao", {"text": "[红包]"}),
        ("2026-10-21 10:30", "设计", "whiteboard",
         {"board": {"token": "wb1cnLark", "title": "2.1 脑图"}, "pages": [{"shapes": 42}]}),
    ]  # fmt: skip


def _files(group: Stage) -> None:
    """A post with a video, a file that takes an upload in parts, one too big to be fetched, and one that is gone."""
    video, picture = (_resource(*of) for of in (("file", "演示.mp4", 400_000), ("image", "首屏.png", 30_000)))
    content = {
        "title": "搜索改版走查",
        "content": [
            [{"tag": "text", "text": "改前改后对比：", "style": ["bold"]}, {"tag": "emotion", "emoji_type": "SMILE"}],
            [{"tag": "media", "file_key": video.key, "image_key": _key("img_v3_", "cover")}],
            [{"tag": "hr"}],
            [{"tag": "img", "image_key": picture.key}],
        ],
    }
    _say(group, "2026-10-21 11:20", "设计", "post", content, video, picture)
    for when, name, size in (
        ("2026-10-22 10:05", "压测报告（含原始数据）.zip", 25 << 20),
        ("2026-10-22 10:16", "录屏-全链路压测.mov", 150 << 20),
    ):
        recording = _resource("file", name, size)
        _say(group, when, "测试", "file", {"file_key": recording.key, "file_name": name}, recording)
    gone = {"file_key": _key("file_v3_", "gone"), "file_name": "临时密钥清单.xlsx"}
    _say(group, "2026-10-22 10:40", "运维", "file", gone)


def _nested(group: Stage) -> None:
    """A forward that holds mentions, a picture, a post and another forward."""
    tester, designer = (_member(group, role).person for role in ("测试", "设计"))
    at, chat = shanghai("2026-10-21 09:00"), identity("oc_", group.seed, "elsewhere")
    inner = _key("om_", group.seed, "inner")
    names = (Mention("@_user_1", tester.open_id, tester.name),)
    title = {"title": "走查结论", "content": [[{"tag": "a", "href": "https://wiki.example.com/walk", "text": "全文"}]]}
    children: tuple[tuple[str, str, dict[str, Any], tuple[Mention, ...], str], ...] = (
        ("text", designer.open_id, {"text": f"@_user_1 {EVERYONE} 走查完了"}, names, ""),
        ("image", designer.open_id, {"image_key": _key("img_v3_", "forwarded")}, (), ""),
        ("post", tester.open_id, title, (), ""),
        ("merge_forward", tester.open_id, MERGED, (), ""),
        ("text", tester.open_id, {"text": "里层：\n折叠动画没问题"}, (), inner),
        ("text", designer.open_id, {"text": "里层：收到"}, (), inner),
    )
    forwarded = tuple(
        Forwarded(
            message=inner if type_ == "merge_forward" else _key("om_", group.seed, "nested", number),
            at=at + number * 61_000,
            chat=chat,
            sender=sender,
            type=type_,
            content=content,
            mentions=mentions,
            upper=upper,
        )
        for number, (type_, sender, content, mentions, upper) in enumerate(children)
    )
    said = _say(group, "2026-10-21 09:50", "产品", "merge_forward", MERGED)
    group.says[-1] = replace(said, forwarded=forwarded)


def _before(said: Say, *stages: Stage) -> tuple[Forwarded, ...]:
    """The last messages of the first of ``stages`` in which something was said before."""
    for stage in stages:
        known = [each for each in stage.says if each.at < said.at and each.sender and each.type in _PLAIN]
        known = sorted(known, key=lambda each: each.at)[-FORWARDED:]
        if known:
            break
    return tuple(
        Forwarded(
            message=_key("om_", said.message, number),
            at=each.at,
            chat=each.chat,
            sender=each.sender,
            type=each.type,
            content=each.content,
            mentions=each.mentions,
        )
        for number, each in enumerate(known)
    )


def _say(stage: Stage, when: str, role: str, type_: str, content: dict[str, Any], *resources: Resource) -> Say:
    message = identity("om_", stage.seed, stage.chat.chat_id, len(stage.says))
    sender = _member(stage, role, shanghai(when)).person.open_id
    said = Say(shanghai(when), stage.chat.chat_id, message, sender, type_, content, resources=resources)
    stage.says.append(said)
    return said


def _member(stage: Stage, role: str, at: int = 0) -> Member:
    at = at or shanghai("2026-10-20 09:00")
    return next(each for each in stage.members if each.role == role and each.present(at))


def _resource(kind: Literal["image", "file"], name: str, size: int) -> Resource:
    return Resource(_key("img_v3_" if kind == "image" else "file_v3_", name), name, kind, size, size)


def _key(prefix: str, *meaning: object) -> str:
    return identity(prefix, "kinds", *meaning)
