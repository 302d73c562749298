"""Hostile input, grown from a grammar and a seed: frames, envelopes and ``content`` that nobody well-meaning sends.

Everything begins as what the platform sends, then something is wrong with it: most of it is nearly right.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from typing import Any, Final

import feishu_events as feishu
import orjson

from core.feishu.frame_pb2 import Frame

Tree = Any
"""JSON as Python has it."""

STRINGS: Final = (
    *("", " ", "\x00", "\n", "\u202e", "\ufeff", "😀" * 3, "é", '<at user_id="ou_1">@李</at>', "@_user_1", "@_all"),
    *("0", "-1", "00", "1e9", "٣", "²", "9" * 15, "9" * 16, "9" * 17, "9" * 400, "1793500000000", "NaN", "null"),
    *("{", "[]", "{}", '"', "\\", "\\ud800", "{text}", "{0}", "%s", "'; DROP TABLE event; --", "../../etc/passwd"),
    *("oc_x", "ou_", "om_h", "x" * 5_000, "<p>" * 300, "![](" * 300, "**" * 300, "file:///etc/passwd", "http://[::1"),
)
SCALARS: Final = (None, True, False, 0, -1, 1, 1.5, -0.0, 1e308, 2**31, 2**53 + 1, 2**63 - 1, 2**64 - 1, *STRINGS)
CONTENTS: Final[dict[str, Tree]] = {
    "text": {"text": "你好 @_user_1 <b>x</b>"},
    "post": {
        "title": "题",
        "content": [
            [{"tag": "text", "text": "a", "style": ["bold"]}, {"tag": "a", "href": "https://a.b", "text": "b"}],
            [{"tag": "at", "user_id": "@_user_1", "user_name": "李"}, {"tag": "img", "image_key": "img_1"}],
            [{"tag": "code_block", "language": "GO", "text": "x"}, {"tag": "md", "text": "**b**"}, {"tag": "hr"}],
        ],
    },
    "image": {"image_key": "img_1"},
    "file": {"file_key": "file_1", "file_name": "a.txt"},
    "folder": {"file_key": "file_1", "file_name": "a"},
    "audio": {"file_key": "file_1", "duration": 2000},
    "media": {"file_key": "file_1", "image_key": "img_1", "file_name": "a.mp4", "duration": 2000},
    "sticker": {"file_key": "file_1"},
    "interactive": {
        "title": "卡",
        "elements": [[{"tag": "text", "text": "a"}, {"tag": "button", "text": {"content": "b"}}, {"tag": "img"}]],
        "header": {"title": {"tag": "plain_text", "content": "t"}},
    },
    "share_chat": {"chat_id": "oc_1"},
    "share_user": {"user_id": "ou_1"},
    "system": {
        "template": "{from_user} 邀请 {to_chatters}",
        "from_user": ["a"],
        "to_chatters": ["b"],
        "divider_text": {},
    },
    "location": {"name": "北京", "longitude": "116.4", "latitude": "39.9"},
    "video_chat": {"topic": "会", "start_time": "1793500000000"},
    "todo": {
        "task_id": "t",
        "summary": {"title": "", "content": [[{"tag": "text", "text": "做"}]]},
        "due_time": "1793500000000",
    },
    "vote": {"topic": "午饭", "options": ["面", "饭"]},
    "hongbao": {"text": "[红包]"},
    "share_calendar_event": {"summary": "会", "start_time": "1793500000000", "end_time": "1793503600000"},
    "calendar": {"summary": "会", "start_time": "1793500000000", "end_time": "1793503600000"},
    "general_calendar": {"summary": "会", "start_time": "1793500000000", "end_time": "1793503600000"},
    "merge_forward": {"content": "Merged and Forwarded Message"},
    "nobody_knows": {"a": [1, {"b": None}]},
}
MENTION: Final = {
    "key": "@_user_1",
    "id": {"open_id": "ou_m", "union_id": "on_m", "user_id": ""},
    "name": "韩梅梅",
    "tenant_key": feishu.TENANT,
    "mentioned_type": "user",
}


class Hostility:
    """A source of hostile input; the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(f"hostile {seed}")
        self._seed = seed
        self._numbers = 0

    def frames(self) -> list[bytes]:
        """One case: a frame, or a few that belong together."""
        pick = self.chance.random()
        if pick < 0.06:
            return [self._noise()]
        if pick < 0.12:
            return [self._frame(self._payload(), method=0, type=self._one(("pong", "ping", "", "ponG")))]
        if pick < 0.22:
            return self._parts(self.body())
        whole = self._frame(self.body())
        return [self._torn(whole) if pick < 0.34 else whole]

    def body(self) -> bytes:
        """The bytes of an event."""
        envelope = self.envelope()
        for _ in range(self._one((0, 1, 1, 2, 4))):
            self._spoil(envelope)
        body = _dumped(envelope)
        return self._torn(body) if self.chance.random() < 0.08 else body

    def envelope(self) -> Tree:
        """An event of any type, whole but for its content."""
        self._numbers += 1
        number = f"{self._seed}_{self._numbers}"
        make = self._one((self._message, self._message, self._message, self._reaction, self._recall, self._other))
        event_type, event = make(f"om_h{number}")
        if self.chance.random() < 0.1:
            return {"uuid": f"u{number}", "type": "event_callback", "event": {"type": event_type, **event}}
        header = {"event_id": f"h{number}", "event_type": event_type, "tenant_key": feishu.TENANT, "app_id": feishu.APP}
        return {"schema": "2.0", "header": header, "event": event}

    def content(self) -> tuple[str, str]:
        """A message type and a ``content`` string that is wrong for it, or for any."""
        kind = self._one(tuple(CONTENTS))
        tree = copy.deepcopy(CONTENTS[self._one(tuple(CONTENTS)) if self.chance.random() < 0.1 else kind])
        for _ in range(self._one((0, 1, 2, 5))):
            self._spoil(tree)
        text = _dumped(tree).decode(errors="replace")
        if self.chance.random() < 0.1:
            at = self.chance.randrange(len(text) + 1)
            text = self._one((text[:at], text[:at] + self._one(STRINGS) + text[at:], self._one(STRINGS), self._deep()))
        return kind, text

    def _message(self, number: str) -> tuple[str, Tree]:
        kind, text = self.content()
        fields: dict[str, Any] = {"message_type": kind, "content": text}
        if self.chance.random() < 0.4:
            mention = copy.deepcopy(MENTION)
            for _ in range(self._one((0, 1, 2))):
                self._spoil(mention)
            fields["mentions"] = [mention] * self._one((1, 1, 2, 30))
        if self.chance.random() < 0.4:
            earlier = f"om_h{self._seed}_{self.chance.randrange(self._numbers + 1)}"
            fields |= {"root_id": earlier, "parent_id": earlier, "thread_id": self._one(("omt_1", "", earlier))}
        event = feishu.message_event(number, self._one(("ou_h1", "ou_h2", "cli_h")), **fields)
        return self._one(("im.message.receive_v1", "im.message.receive_v1", "im.message.updated_v1")), event

    def _reaction(self, number: str) -> tuple[str, Tree]:
        event = {
            "message_id": self._one((number, f"om_h{self._seed}_{self.chance.randrange(self._numbers + 1)}")),
            "reaction_type": {"emoji_type": self._one(("DONE", "", "x" * 300))},
            "operator_type": self._one(("user", "app", "")),
            "user_id": feishu.person("ou_h1"),
            "app_id": "cli_h",
            "action_time": str(feishu.SENT + self._numbers),
        }
        return f"im.message.reaction.{self._one(('created', 'deleted'))}_v1", event

    def _recall(self, number: str) -> tuple[str, Tree]:
        event = {"message_id": number, "chat_id": feishu.GROUP, "recall_time": str(feishu.SENT), "recall_type": "x"}
        return "im.message.recalled_v1", event

    def _other(self, number: str) -> tuple[str, Tree]:
        kinds = ("attachment.done", "pin.added", "pin.removed", "im.message.message_read_v1", "card.action.trigger", "")
        event = {
            "message_id": number,
            "pin_time": str(feishu.SENT),
            "plugin": self._one(("archive", "pin", "activity", "")),
            "file_key": "img_1",
            "name": "a.png",
            "size": 3,
            "media_type": "image/png",
            "file_token": self._one(("", "box1")),
            "path": "",
            "problem": "",
            "reader": {"reader_id": feishu.person("ou_h1")},
            "message_id_list": [number],
        }
        return self._one(kinds), event

    def _spoil(self, tree: Tree) -> None:
        """Make one place of ``tree`` wrong."""
        spots = list(_spots(tree))
        if not spots:
            return
        parent, key = self._one(spots)
        match self.chance.randrange(8):
            case 0 | 1:
                del parent[key]
            case 2 | 3 | 4:
                parent[key] = self._one(SCALARS)
            case 5:
                parent[key] = self._one(([parent[key]], {"x": parent[key]}, [], {}, [[]], [None], [{}] * 3))
            case 6:
                other, name = self._one(spots)
                parent[key] = copy.deepcopy(other[name]) if name in other or isinstance(other, list) else None
            case _:
                if isinstance(parent[key], str):
                    at = self.chance.randrange(len(parent[key]) + 1)
                    parent[key] = parent[key][:at] + self._one(STRINGS) + parent[key][at:]
                else:
                    parent[key] = str(parent[key])

    def _frame(self, payload: bytes, *, method: int = 1, **headers: str) -> bytes:
        """A frame, perhaps with wrong headers or without what is required."""
        frame = Frame(seq_id=1, log_id=2, service=3, method=method, payload=payload)
        for name, value in ({"type": "event", "message_id": f"m{self._seed}_{self._numbers}"} | headers).items():
            frame.headers.add(key=name, value=value)
        for _ in range(self._one((0, 0, 0, 1, 2))):
            match self.chance.randrange(5):
                case 0:
                    frame.method = self._one((-1, 2, 2**31 - 1))
                case 1:
                    frame.headers.add(key=self._one(("sum", "seq")), value=self._one(STRINGS))
                case 2:
                    frame.headers.add(key=self._one(STRINGS), value=self._one(STRINGS))
                case 3:
                    frame.ClearField(self._one(("seq_id", "log_id", "service", "payload")))
                case _:
                    frame.payload_encoding = self._one(("gzip", "\x00", "x" * 100))
        return bytes(frame.SerializePartialToString())

    def _parts(self, payload: bytes) -> list[bytes]:
        """A payload in parts, some of them missing, twice, out of order or misnumbered."""
        total = self._one((2, 3, 3, 7))
        size = max(1, -(-len(payload) // total))
        parts = [self._frame(payload[i * size : (i + 1) * size], sum=str(total), seq=str(i)) for i in range(total)]
        match self.chance.randrange(5):
            case 0:
                del parts[self.chance.randrange(total)]
            case 1:
                self.chance.shuffle(parts)
            case 2:
                parts.append(self._one(parts))
            case 3:
                parts.append(self._frame(b"x", sum=str(self._one((0, -1, 2000, 10**9))), seq=self._one(STRINGS)))
        return parts

    def _payload(self) -> bytes:
        tree = {"PingInterval": 120, "ReconnectCount": -1}
        self._spoil(tree)
        return self._one((_dumped(tree), b"", b"{", b"[]", b"null", b"\xff", _dumped(self._one(SCALARS))))

    def _torn(self, data: bytes) -> bytes:
        """Bytes cut, flipped, put in or said twice."""
        wrong = bytearray(data)
        for _ in range(self._one((1, 1, 3))):
            at = self.chance.randrange(len(wrong) + 1)
            match self.chance.randrange(4):
                case 0:
                    del wrong[at:]
                case 1 if at < len(wrong):
                    wrong[at] ^= 1 << self.chance.randrange(8)
                case 2:
                    wrong[at:at] = self._one(
                        (b"\x00", b"\xff\xff", b"\xed\xa0\x80", b"\\ud800", b"\xef\xbb\xbf", b"NaN")
                    )
                case _:
                    wrong[at:at] = wrong[at : at + 20]
        return bytes(wrong)

    def _noise(self) -> bytes:
        return self.chance.randbytes(self._one((0, 1, 2, 10, 200)))

    def _deep(self) -> str:
        depth = self._one((100, 900, 1100, 20_000))
        return self._one(("[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth, '{"text":' + "[" * depth))

    def _one(self, choices: Any) -> Any:
        return self.chance.choice(choices)


def _spots(tree: Tree) -> Any:
    """Every (container, key) in ``tree``."""
    entries = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in list(entries):
        yield tree, key
        yield from _spots(value)


def _dumped(tree: Tree) -> bytes:
    """JSON, also of what JSON has no place for."""
    default: Callable[[Any], str] = str
    return orjson.dumps(tree, default=default, option=orjson.OPT_NON_STR_KEYS)
