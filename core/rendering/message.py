"""A message as readable text, and what can be fetched from it; pure, for every message type (FEISHU.md §2.3).

A type not known yet, and content that is not what its type promises, is kept whole as JSON; nothing raises.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson

from ..events import Mention
from .cards import card
from .posts import Named, Reading, Resource, Unreadable, clean, element, paragraphs, post, raw, string

LIMIT: Final = 100_000
"""Code points a text cell holds (FEISHU.md §5.4); longer texts are cut and say so."""
SHANGHAI: Final = ZoneInfo("Asia/Shanghai")

_MARK = "…（已截断，原文共 {count} 字）"
_CARD_IMAGE, _FORWARDED_FILE = "卡片中的图片无法下载", "合并转发中的附件无法下载"
_SLOT = re.compile(r"\{(\w{1,64})\}")
_EDITED = re.compile(r"<p\b[^<>]{0,200}>.*</p>", re.DOTALL)
_BETWEEN = re.compile(r"</p>\s*<p\b[^<>]{0,200}>|<br\s?/?>")
_EDGE = re.compile(r"</?p\b[^<>]{0,200}>")
_DEEPEST: Final = 12
"""Steps of indentation in a forward of forwards."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a message shows."""

    text: str
    """At most 100,000 code points, the title included; always encodable."""
    title: str = ""
    """Of a post, card, calendar event, meeting or vote."""
    resources: tuple[Resource, ...] = ()
    """What can be fetched, each once, in order. A video's cover is not among them."""
    problems: tuple[str, ...] = ()
    """Why something in it cannot be fetched, in Chinese: it is shown to users."""


def render(
    message_type: str, content: Mapping[str, Any] | str, mentions: Iterable[Named] = (), *, zone: tzinfo = SHANGHAI
) -> Rendered:
    """The message as text. ``content`` may still be JSON text; times are shown in ``zone``."""
    reading = Reading(tuple(mentions), zone, refusal=_CARD_IMAGE if message_type == "interactive" else "")
    return _rendered(_read(message_type, content, reading), reading)


def render_forward(
    items: Sequence[Mapping[str, Any]], *, names: Mapping[str, str] | None = None, zone: tzinfo = SHANGHAI
) -> Rendered:
    """A merged forward with its children, as ``GET message`` lists them: the wrapper first (FEISHU.md Appendix B).

    Each child is a line ``name, time: text``, those of a forward inside it further in. ``names`` are by open_id; an ID
    stands for who is not in it.
    """
    given = [item if isinstance(item, dict) else {"body": {"content": raw(item)}} for item in items]
    reading = Reading((), zone, refusal=_FORWARDED_FILE)
    inside: dict[str, list[Mapping[str, Any]]] = {}
    known = {string(item.get("message_id")) for item in given}
    outermost = string(given[0].get("message_id")) if given else ""
    for item in given[1:]:
        upper = string(item.get("upper_message_id"))
        inside.setdefault(upper if upper in known else outermost, []).append(item)
    lines = ["[合并转发]"]
    while inside:
        # What goes round in a circle hangs on nothing: it is shown last rather than left out.
        first = outermost if outermost in inside else next(iter(inside))
        waiting = [(item, 1) for item in reversed(inside.pop(first))]
        while waiting:
            item, depth = waiting.pop()
            lines.append(_line(item, min(depth, _DEEPEST), names or {}, reading))
            waiting += [(each, depth + 1) for each in reversed(inside.pop(string(item.get("message_id")), []))]
    return _rendered("\n".join(lines), reading)


def as_received(item: Mapping[str, Any]) -> tuple[str, Mapping[str, Any], tuple[Mention, ...]]:
    """A message of the API (FEISHU.md §4.2) in the form of the event: what ``render`` takes.

    Content that is no JSON, such as a recalled message's, comes as a text.
    """
    message_type, body, given = item.get("msg_type"), item.get("body"), item.get("mentions")
    mentions = tuple(
        Mention(
            string(each.get("key")),
            string(each.get("id")),
            string(each.get("name")),
            is_bot=each.get("id_type") == "app_id",
        )
        for each in (given if isinstance(given, list) else ())
        if isinstance(each, dict)
    )
    text = string(body.get("content")) if isinstance(body, dict) else ""
    content = _decoded(text)
    if content is None and message_type != "merge_forward":
        return "text", {"text": text}, mentions
    return string(message_type), content or {"content": text}, mentions


def _line(item: Mapping[str, Any], depth: int, names: Mapping[str, str], outer: Reading) -> str:
    message_type, content, mentions = as_received(item)
    reading = Reading(mentions, outer.zone, refusal=outer.refusal, problems=outer.problems)
    sender = item.get("sender")
    sender_id = string(sender.get("id")) if isinstance(sender, dict) else ""
    text = _read(message_type, content, reading)
    head = ", ".join(filter(None, (names.get(sender_id) or sender_id, outer.moment(item.get("create_time")))))
    step = "  " * depth
    return step + f"{head}: {text}".replace("\n", f"\n{step}  ")


def _rendered(text: str, reading: Reading) -> Rendered:
    return Rendered(_cut(text), _cut(reading.title), tuple(reading.resources.values()), tuple(reading.problems))


def _cut(text: str) -> str:
    if len(text) <= LIMIT:
        return clean(text, LIMIT)
    mark = _MARK.format(count=len(text))
    return clean(text, LIMIT - len(mark)) + mark


def _read(message_type: str, content: Mapping[str, Any] | str, reading: Reading) -> str:
    given = _decoded(content) if isinstance(content, str) else content
    label, show = _TYPES.get(message_type, (message_type or "未知类型", None))
    if show is not None and isinstance(given, Mapping):
        try:
            return show(given, reading)
        except Unreadable:
            reading.title = ""
    return f"[{label}] {content if isinstance(content, str) else raw(given)}"


def _decoded(text: str) -> dict[str, Any] | None:
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return content if isinstance(content, dict) else None


def _text(content: Mapping[str, Any], reading: Reading) -> str:
    text = content.get("text")
    if not isinstance(text, str):
        raise Unreadable("text")
    # After an edit the API may answer with HTML paragraphs (FEISHU.md §2.3, unconfirmed).
    if text.startswith("<p") and _EDITED.fullmatch(text):
        text = html.unescape(_EDGE.sub("", _BETWEEN.sub("\n", text)))
    return reading.named(text)


def _image(content: Mapping[str, Any], reading: Reading) -> str:
    if not reading.attach(content.get("image_key"), "image"):
        raise Unreadable("image_key")
    return "[图片]"


def _file(label: str) -> Callable[[Mapping[str, Any], Reading], str]:
    def show(content: Mapping[str, Any], reading: Reading) -> str:
        name = content.get("file_name")
        if not reading.attach(content.get("file_key"), "file", name):
            raise Unreadable("file_key")
        return " ".join(filter(None, (f"[{label}]", string(name), _duration(content.get("duration")))))

    return show


def _folder(content: Mapping[str, Any], reading: Reading) -> str:
    name = string(content.get("file_name"))
    if not name and not content.get("file_key"):
        raise Unreadable("file_name")
    reading.problems["文件夹无法下载"] = None
    return f"[文件夹] {name}".strip()


def _sticker(content: Mapping[str, Any], reading: Reading) -> str:
    if not string(content.get("file_key")):
        raise Unreadable("file_key")
    reading.problems["表情包无法下载"] = None
    return "[表情]"


def _card(content: Mapping[str, Any], reading: Reading) -> str:
    return f"[卡片] {card(content, reading)}"


def _shared(label: str, *fields: str) -> Callable[[Mapping[str, Any], Reading], str]:
    """Whichever of ``fields`` is there first: a name before an ID."""

    def show(content: Mapping[str, Any], reading: Reading) -> str:
        who = next(filter(None, (string(content.get(name)) for name in fields)), "")
        if not who:
            raise Unreadable(fields[-1])
        return f"[{label}] {reading.person(who) if who.startswith('ou_') else who}"

    return show


def _system(content: Mapping[str, Any], reading: Reading) -> str:
    divider = content.get("divider_text")
    template = string(content.get("template")) or (string(divider.get("text")) if isinstance(divider, dict) else "")
    if not template:
        raise Unreadable("template")
    filled = _SLOT.sub(lambda slot: _filling(content.get(slot[1], slot[0])), template)
    return f"[系统消息] {reading.named(filled)}"


def _filling(value: object) -> str:
    parts = value if isinstance(value, list) else [value]
    return "、".join(part if isinstance(part, str) else _named(part) for part in parts)


def _named(part: object) -> str:
    known = (string(part.get("text")) or string(part.get("name"))) if isinstance(part, dict) else ""
    return known or raw(part)


def _forward(content: Mapping[str, Any], reading: Reading) -> str:
    return "[合并转发]"


def _location(content: Mapping[str, Any], reading: Reading) -> str:
    name, *at = (content.get(each) for each in ("name", "latitude", "longitude"))
    where = ", ".join(str(each) for each in at if isinstance(each, str | int | float) and each != "")
    if not string(name) and not where:
        raise Unreadable("name")
    return " ".join(filter(None, ("[位置]", string(name), where and f"({where})")))


def _hongbao(content: Mapping[str, Any], reading: Reading) -> str:
    text = string(content.get("text"))
    return text if text.startswith("[红包]") else f"[红包] {text}".strip()


def _calendar(content: Mapping[str, Any], reading: Reading) -> str:
    reading.title = string(content.get("summary"))
    start, end = reading.moment(content.get("start_time")), reading.moment(content.get("end_time"))
    if not reading.title and not start:
        raise Unreadable("summary")
    if start[:10] == end[:10]:
        end = end[11:]
    return " ".join(filter(None, ("[日程]", reading.title, " – ".join(filter(None, (start, end))))))


def _meeting(content: Mapping[str, Any], reading: Reading) -> str:
    reading.title = string(content.get("topic"))
    start = reading.moment(content.get("start_time"))
    if not reading.title and not start:
        raise Unreadable("topic")
    return " ".join(filter(None, ("[视频会议]", reading.title, start)))


def _todo(content: Mapping[str, Any], reading: Reading) -> str:
    summary = content.get("summary")
    if not isinstance(summary, dict) or not isinstance(summary.get("content"), list):
        raise Unreadable("summary")
    words = "\n".join(filter(None, (string(summary.get("title")), paragraphs(summary["content"], reading))))
    due = reading.moment(content.get("due_time"))
    return f"[任务] {words}" + (f"（截止 {due}）" if due and due != "0" else "")


def _vote(content: Mapping[str, Any], reading: Reading) -> str:
    reading.title, options = string(content.get("topic")), content.get("options")
    if not reading.title or not isinstance(options, list):
        raise Unreadable("topic")
    return "\n".join((f"[投票] {reading.title}", *(f"- {element(option, reading)}" for option in options)))


def _duration(value: object) -> str:
    """ms as ``1:05`` or ``1:00:05``."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 10**10:
        return ""
    minutes, seconds = divmod(round(value / 1000), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


_TYPES: Final[dict[str, tuple[str, Callable[[Mapping[str, Any], Reading], str]]]] = {
    "text": ("文本", _text),
    "post": ("富文本", post),
    "image": ("图片", _image),
    "file": ("文件", _file("文件")),
    "folder": ("文件夹", _folder),
    "audio": ("语音", _file("语音")),
    "media": ("视频", _file("视频")),
    "sticker": ("表情", _sticker),
    "interactive": ("卡片", _card),
    "share_chat": ("群名片", _shared("群名片", "chat_name", "chat_id")),
    "share_user": ("个人名片", _shared("个人名片", "user_name", "user_id")),
    "system": ("系统消息", _system),
    "merge_forward": ("合并转发", _forward),
    "location": ("位置", _location),
    "hongbao": ("红包", _hongbao),
    "share_calendar_event": ("日程", _calendar),
    "calendar": ("日程", _calendar),
    "general_calendar": ("日程", _calendar),
    "video_chat": ("视频会议", _meeting),
    "todo": ("任务", _todo),
    "vote": ("投票", _vote),
}
"""Message type → its label, and what shows its content."""
