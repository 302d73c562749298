"""A line of text as the platform's message content (FEISHU.md §2.3).

- ``@角色`` mentions who has the role, ``@机器人`` the bot, ``@所有人`` everyone; ``⏎`` is a new line.
- ``[图片 a.png]`` alone is an image; likewise 文件, 语音 (seconds), 视频, 表情, 位置, 投票 (topic|option|…), 转发 and
  名片 (of a role).
- ``《title》a / b`` is a post of two paragraphs, which may hold ``[text](https://…)``, ``[图片 a.png]``, mentions,
  ``[SMILE]`` and code: ``«GO|…»``. ``《》`` is a post without a title.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from .act import BOT, EVERYONE, Mention, Person, Resource
from .cast import ANYBODY, ROLES
from .ids import identity

BOT_NAME = "云雀助手"

_WHO = re.compile(f"@(所有人|机器人|(?:{'|'.join((*ROLES, ANYBODY))})\\d?)")
_SPECIAL = re.compile(r"\[(图片|文件|语音|视频|表情|位置|投票|转发|名片) ?([^\[\]]*)\]")
_POST = re.compile(r"《([^》]*)》(.*)", re.DOTALL)
_INLINE = re.compile(
    r"\[图片 (?P<img>[^\]]+)\]|\[(?P<label>[^\]]+)\]\((?P<href>https?://[^)]+)\)|\[(?P<emotion>[A-Z]+)\]"
    r"|«(?P<language>\w+)\|(?P<code>[^»]*)»|" + _WHO.pattern.replace("@(", "@(?P<who>", 1)
)


@dataclass(slots=True)
class Draft:
    """A message that is being written: its content, and what the content refers to."""

    who: Callable[[str], Person]
    """Who has a role here."""
    chance: random.Random
    seal: str
    """Makes the keys of its resources unlike those of any other message."""
    type: str = "text"
    content: dict[str, Any] = field(default_factory=dict)
    mentions: list[Mention] = field(default_factory=list)
    resources: list[Resource] = field(default_factory=list)

    def write(self, text: str) -> Draft:
        """Itself, with the content that ``text`` describes."""
        text = text.replace("⏎", "\n")
        if special := _SPECIAL.fullmatch(text):
            self._special(special[1], special[2])
        elif post := _POST.fullmatch(text):
            self.type = "post"
            self.content = {"title": post[1], "content": [self._paragraph(part) for part in post[2].split(" / ")]}
        else:
            self.content = {"text": _WHO.sub(lambda found: self.mention(found[1]), text)}
        return self

    def mention(self, role: str) -> str:
        """The placeholder for who has the role; the same person keeps the same one."""
        if role == "所有人":
            return EVERYONE
        person = None if role == "机器人" else self.who(role)
        open_id, name = (person.open_id, person.name) if person else (BOT, BOT_NAME)
        for known in self.mentions:
            if known.open_id == open_id:
                return known.key
        self.mentions.append(Mention(f"@_user_{len(self.mentions) + 1}", open_id, name))
        return self.mentions[-1].key

    def _resource(self, kind: Literal["image", "file"], name: str, least: int, most: int) -> str:
        number = len(self.resources)
        key = identity("img_v3_" if kind == "image" else "file_v3_", self.seal, number)
        size = self.chance.randint(least, most)
        self.resources.append(Resource(key, name, kind, size, self.chance.getrandbits(32)))
        return key

    def _special(self, kind: str, what: str) -> None:
        match kind:
            case "图片":
                self.type, self.content = "image", {"image_key": self._resource("image", what, 2_000, 90_000)}
            case "文件":
                key = self._resource("file", what, 1_000, 300_000)
                self.type, self.content = "file", {"file_key": key, "file_name": what}
            case "语音":
                key = self._resource("file", "语音.opus", 4_000, 60_000)
                self.type, self.content = "audio", {"file_key": key, "duration": int(what) * 1000}
            case "视频":
                cover = self._resource("image", "封面.png", 2_000, 9_000)
                key = self._resource("file", what, 90_000, 900_000)
                duration = self.chance.randint(4, 60) * 1000
                self.type = "media"
                self.content = {"file_key": key, "image_key": cover, "file_name": what, "duration": duration}
            case "表情":
                # Stickers cannot be downloaded, so there is no resource behind the key.
                self.type, self.content = "sticker", {"file_key": identity("file_v3_", "sticker", what)}
            case "位置":
                self.type, self.content = "location", {"name": what, "longitude": "121.4737", "latitude": "31.2304"}
            case "投票":
                topic, *options = what.split("|")
                self.type, self.content = "vote", {"topic": topic, "options": options}
            case "转发":
                self.type, self.content = "merge_forward", {"content": "Merged and Forwarded Message"}
            case _:
                self.type, self.content = "share_user", {"user_id": self.who(what).open_id}

    def _paragraph(self, text: str) -> list[dict[str, Any]]:
        elements: list[dict[str, Any]] = []
        end = 0
        for found in _INLINE.finditer(text):
            if plain := text[end : found.start()]:
                elements.append({"tag": "text", "text": plain, "style": []})
            elements.append(self._element(found))
            end = found.end()
        if text[end:]:
            elements.append({"tag": "text", "text": text[end:], "style": []})
        return elements

    def _element(self, found: re.Match[str]) -> dict[str, Any]:
        if found["img"]:
            return {"tag": "img", "image_key": self._resource("image", found["img"], 2_000, 90_000)}
        if found["href"]:
            return {"tag": "a", "href": found["href"], "text": found["label"], "style": []}
        if found["emotion"]:
            return {"tag": "emotion", "emoji_type": found["emotion"]}
        if found["language"]:
            return {"tag": "code_block", "language": found["language"], "text": found["code"]}
        key = self.mention(found["who"])
        name = next((each.name for each in self.mentions if each.key == key), "所有人")
        return {"tag": "at", "user_id": key, "user_name": name, "style": []}
