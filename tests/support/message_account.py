"""What each message of the bundled scenario says and holds, worked out from the scenario itself.

A second opinion on rendering and attachments: it imports nothing of the program, reads the acts rather than events or
answers, and knows only the forms the scenario uses.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sandbox.scenario.act import Forwarded, Mention, Say

ZONE = ZoneInfo("Asia/Shanghai")
LIMIT = 100 << 20
"""Bytes that can be downloaded."""

Content = Mapping[str, Any]


@dataclass(frozen=True)
class Told:
    """One message as a table shows it."""

    text: str
    problems: tuple[str, ...] = ()
    files: tuple[tuple[str, int], ...] = ()
    """Name and bytes of what can be fetched, in order."""

    @property
    def content(self) -> str:
        """The text, and below it what cannot be had."""
        return "\n".join((self.text, *(f"［附件无法下载：{problem}］" for problem in self.problems)))

    @property
    def title(self) -> str:
        """The first line that is words."""
        lines = (line.strip() for line in self.text.splitlines())
        line = next((line for line in lines if line and not line.startswith("```")), "（无文字）")
        return line if len(line) <= 80 else f"{line[:79].rstrip()}…"


def told(said: Say, names: Mapping[str, str], content: Content | None = None) -> Told:
    """The message, with other ``content`` after an edit; ``names`` by open_id."""
    content = said.content if content is None else content
    if said.type == "merge_forward":
        return _forward(said, names)
    text = _text(said.type, content, said.mentions)
    problems = {"sticker": ["表情包无法下载"], "folder": ["文件夹无法下载"]}.get(said.type, [])
    if said.type == "interactive":
        return Told(text, ("卡片中的图片无法下载",) if "img_v3_" in json.dumps(content) else ())
    known = {one.key: one for one in said.resources}
    files = []
    for key in [] if problems else _keys(said.type, content):
        if key not in known:
            problems.append(f"{content['file_name']}，消息中没有该文件，可能已过期或已删除")
        elif known[key].size > LIMIT:
            problems.append(f"{known[key].name}，文件超过 100 MB，平台不提供下载")
        else:
            files.append((known[key].name, known[key].size))
    return Told(text, tuple(problems), tuple(files))


def _keys(kind: str, content: Content) -> list[str]:
    """What can be fetched; a video's cover is not among it."""
    if kind == "post":
        runs = [run for line in content["content"] for run in line]
        return [run.get("file_key") or run["image_key"] for run in runs if run["tag"] in ("img", "media")]
    if kind == "image":
        return [content["image_key"]]
    return [content["file_key"]] if kind in ("file", "audio", "media") else []


def _forward(said: Say, names: Mapping[str, str]) -> Told:
    lines = ["[合并转发]", *_children("", said.forwarded, names, "  ")]
    refused = any(one.type in ("image", "file") or (one.type == "post" and _keys("post", one.content))
                  for one in said.forwarded)  # fmt: skip
    return Told("\n".join(lines), ("合并转发中的附件无法下载",) if refused else ())


def _children(upper: str, every: Iterable[Forwarded], names: Mapping[str, str], step: str) -> list[str]:
    lines = []
    for one in every:
        if one.upper == upper:
            text = "[合并转发]" if one.type == "merge_forward" else _text(one.type, one.content, one.mentions)
            head = f"{names.get(one.sender, one.sender)}, {_moment(one.at)}: {text}"
            lines += [step + head.replace("\n", f"\n{step}  ")]
            lines += _children(one.message, every, names, step + "  ")
    return lines


def _text(kind: str, content: Content, mentions: Iterable[Mention]) -> str:
    match kind:
        case "text":
            return _named(content["text"], mentions)
        case "post":
            lines = ("".join(_run(run, mentions) for run in line).strip("\n") for line in content["content"])
            return "\n".join(filter(None, (content["title"], "\n".join(lines))))
        case "image":
            return "[图片]"
        case "file":
            return f"[文件] {content['file_name']}"
        case "audio":
            return f"[语音] {_duration(content['duration'])}"
        case "media":
            return f"[视频] {content['file_name']} {_duration(content['duration'])}"
        case "sticker":
            return "[表情]"
        case "folder":
            return f"[文件夹] {content['file_name']}"
        case "location":
            return f"[位置] {content['name']} ({content['latitude']}, {content['longitude']})"
        case "vote":
            return "\n".join((f"[投票] {content['topic']}", *(f"- {option}" for option in content["options"])))
        case "share_user":
            return f"[个人名片] @{content['user_id']}"
        case "share_chat":
            return f"[群名片] {content['chat_id']}"
        case "hongbao":
            return "[红包]"
        case "video_chat":
            return f"[视频会议] {content['topic']} {_moment(content['start_time'])}"
        case "calendar" | "general_calendar" | "share_calendar_event":
            start, end = _moment(content["start_time"]), _moment(content["end_time"])
            return f"[日程] {content['summary']} {start} – {end[-5:]}"  # All of them end on the day they begin.
        case "todo":
            runs = "".join(_run(run, mentions) for run in content["summary"]["content"][0])
            return f"[任务] {runs}（截止 {_moment(content['due_time'])}）"
        case "interactive":
            lines = ["".join(_run(run, mentions) for run in line).strip() for line in content["elements"]]
            return "\n".join((f"[卡片] {content['title']}", *lines))
        case _:
            return f"[{kind}] {json.dumps(content, ensure_ascii=False, separators=(',', ':'))}"


def _run(run: Content, mentions: Iterable[Mention]) -> str:
    match run["tag"]:
        case "text":
            return _named(run["text"], mentions)
        case "a":
            return f"{run['text']} ({run['href']})"
        case "at":
            return f"@{run['user_name']}"
        case "img":
            return "[图片]"
        case "media":
            return "[视频]"
        case "emotion":
            return f"[{run['emoji_type']}]"
        case "hr":
            return "---"
        case "button":
            return f"[{run['text']}]"
        case "note":
            return "".join(_run(each, mentions) for each in run["elements"])
        case "code_block":
            return f"\n```{run['language'].lower()}\n{run['text']}\n```\n"
        case tag:
            raise AssertionError(f"the scenario has a new element: {tag}")


def _named(text: str, mentions: Iterable[Mention]) -> str:
    names = {one.key: one.name for one in mentions} | {"@_all": "所有人"}
    return re.sub(r"@_user_\d+|@_all", lambda key: f"@{names[key[0]]}", text)


def _duration(ms: int) -> str:
    return f"{round(ms / 1000) // 60}:{round(ms / 1000) % 60:02}"


def _moment(at: int | str) -> str:
    return datetime.fromtimestamp(int(at) / 1000, ZONE).strftime("%Y-%m-%d %H:%M")
