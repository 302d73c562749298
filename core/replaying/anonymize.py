"""Events that tell of nobody: IDs and names become stable pseudonyms, text becomes other text of about its kind.

Nothing is kept unless it is known to be harmless: a string under an unknown name is taken for text. Times stay. The
same ID or name gives the same pseudonym as long as the key is the same; without the key none can be computed back.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Final

import orjson

HARMLESS: Final = frozenset(
    {
        "schema",
        "event_type",
        "type",
        "chat_type",
        "message_type",
        "msg_type",
        "sender_type",
        "operator_type",
        "mentioned_type",
        "emoji_type",
        "tag",
        "style",
        "un_escape",
        "create_time",
        "update_time",
        "recall_time",
        "read_time",
        "action_time",
        "action_type",
        "pin_time",
        "media_type",
        "kind",
        "plugin",
    }
)
"""Names whose strings say what something is or when it was."""
TIMES: Final = frozenset(name for name in HARMLESS if name.endswith("_time"))
IDS: Final = frozenset(
    {
        "open_id",
        "union_id",
        "user_id",
        "chat_id",
        "message_id",
        "root_id",
        "parent_id",
        "thread_id",
        "upper_message_id",
        "event_id",
        "uuid",
        "tenant_key",
        "app_id",
        "file_key",
        "image_key",
        "file_token",
        "image_token",
        "id",
        "message_id_list",
        "share_code",
    }
)
NAMES: Final = frozenset({"user_name", "sender_name", "operator_name"})
FILES: Final = frozenset({"file_name", "path"})
NUMBERS: Final = frozenset({"image_width", "image_height", "width", "height", "duration", "size", "file_size"})
AUTHORED: Final = frozenset({"value", "form_value"})
"""What an author of cards named, and people filled in: the names inside say nothing about it."""
EMPTIED: Final = frozenset({"token", "ticket", "access_key"})
"""Secrets: not even a pseudonym is left."""

_PLACEHOLDER: Final = re.compile(r"@_(?:user_\d+|all)")
_PREFIX: Final = re.compile(r"(?:ou|on|oc|om|omt|od|cli|(?:img|file)(?:_v\d)?)_", re.ASCII)
_ID: Final = re.compile(rf"{_PREFIX.pattern}[\w.~=+-]{{6,}}\Z", re.ASCII)
_HAN: Final = "\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_KANA: Final = "\u3040-\u30ff"
_HANGUL: Final = "\uac00-\ud7af\u1100-\u11ff"
_LINK: Final = r"(?:https?://|www\.)[^\s<>\"'，。；）】]+|[\w.+-]+@[\w-]+\.[\w.]+"
_RUNS: Final = re.compile(
    rf"(?P<placeholder>{_PLACEHOLDER.pattern})|(?P<link>{_LINK})|(?P<han>[{_HAN}]+)|(?P<kana>[{_KANA}]+)"
    rf"|(?P<hangul>[{_HANGUL}]+)|(?P<number>\d[\d.,:/-]*)|(?P<letters>[^\W\d_{_HAN}{_KANA}{_HANGUL}]+)"
    r"|(?P<space>\s+)|(?P<sign>[,.!?;:，。！？；：、…()（）「」\[\]\"'“”‘’-])|(?P<other>.)",
    re.DOTALL,
)
_LETTERS: Final = {
    "han": "的一是了我不人在他有这上们来到时大地为子中你说生国年着就那和要她出也得里后自以会家可下而过天去能对"
    "小多然于心学么之都好看起发当没成只如事把还用第样道想作种开",
    "kana": "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわん",
    "hangul": "가나다라마바사아자차카타파하고노도로모보소오조호구누두루무부수우주후기니디리미비시이지",
    "letters": "etaoinshrdlucmfwypvbg",
}
_SURNAMES: Final = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗"
_EXTENSION: Final = re.compile(
    r"\.(?:docx?|xlsx?|pptx?|pdf|txt|md|csv|json|html?|log|zip|rar|7z|gz|png|jpe?g|gif|webp|svg|mp[34]|mov|wav|opus|m4a)\Z",
    re.IGNORECASE,
)
_NAME_OF_FIELD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,40}\Z")


class Anonymizer:
    """The pseudonyms of one recording; call it with an event."""

    def __init__(self, key: bytes = b"") -> None:
        self._key = key or secrets.token_bytes(32)

    def __call__(self, event: dict[str, Any]) -> dict[str, Any]:
        """The same event, told of nobody."""
        return {self._field(name): self._value(name, value) for name, value in event.items()}

    def identifier(self, value: str) -> str:
        """The pseudonym of an ID, with its prefix."""
        if not value or _PLACEHOLDER.fullmatch(value) or value == "all":
            return value
        prefix = _PREFIX.match(value)
        return f"{prefix[0] if prefix else ''}{self._digest('id', value).hex()}"

    def name(self, value: str) -> str:
        """The pseudonym of a person's or group's name: Chinese for Chinese, otherwise letters."""
        if not value:
            return value
        stream = self._stream("name", value)
        if re.search(f"[{_HAN}]", value):
            return _SURNAMES[stream() % len(_SURNAMES)] + "".join(_pick("han", stream) for _ in range(2))
        return "".join(_pick("letters", stream) for _ in range(6)).capitalize()

    def text(self, value: str) -> str:
        """Other text of the same languages and about the same length; links, addresses and numbers are gone."""
        stream = self._stream("text", value)
        return "".join(_replaced(run, stream) for run in _RUNS.finditer(value))

    def file(self, value: str) -> str:
        """The name of a file, without its name: the extension stays."""
        extension = _EXTENSION.search(value)
        return f"{self._digest('file', value).hex()[:8]}{extension[0].lower() if extension else ''}" if value else value

    def _value(self, name: str, value: Any) -> Any:
        if isinstance(value, dict):
            return {self._field(one): self._value(name if name in AUTHORED else one, of) for one, of in value.items()}
        if isinstance(value, list):
            return [self._value(name, one) for one in value]
        if isinstance(value, str):
            return self._string(name, value)
        if value is None or isinstance(value, bool) or name in NUMBERS or name in TIMES:
            return value
        return 0

    def _string(self, name: str, value: str) -> str:
        if name in EMPTIED:
            return ""
        if name in IDS or _ID.match(value):
            return self.identifier(value)
        if name in HARMLESS or _PLACEHOLDER.fullmatch(value):
            return value if len(value) <= 64 and value.isascii() else self.text(value)
        if name in NAMES or name == "name":
            return self.file(value) if _EXTENSION.search(value) else self.name(value)
        if name in FILES:
            return self.file(value)
        if name in NUMBERS:
            return value if value.isascii() and value.isdigit() else ""
        if name == "href":
            return "https://example.com/" if value else ""
        if value[:1] in ("{", "["):  # Content is JSON within JSON.
            try:
                inner = orjson.loads(value)
            except orjson.JSONDecodeError:
                return self.text(value)
            return orjson.dumps(self._value(name, inner)).decode()
        return self.text(value)

    def _field(self, name: str) -> str:
        if _ID.match(name):
            return self.identifier(name)
        return name if _NAME_OF_FIELD.match(name) or _PLACEHOLDER.fullmatch(name) else self._digest("id", name).hex()

    def _digest(self, purpose: str, value: str) -> bytes:
        text = f"{purpose}:{value}".encode(errors="surrogatepass")
        return blake2b(text, key=self._key, digest_size=16).digest()

    def _stream(self, purpose: str, value: str) -> Callable[[], int]:
        """Numbers that follow from the value and the key only."""
        seed = self._digest(purpose, value)
        count = 0

        def following() -> int:
            nonlocal count
            count += 1
            return int.from_bytes(blake2b(count.to_bytes(8, "big"), key=seed, digest_size=8).digest(), "big")

        return following


def _replaced(run: re.Match[str], stream: Callable[[], int]) -> str:
    kind, text = run.lastgroup or "other", run[0]
    if kind in ("placeholder", "space", "sign"):
        return text
    if kind in _LETTERS:
        return "".join(_pick(kind, stream) for _ in range(_length(len(text), stream)))
    return ""  # Links, numbers, pictograms.


def _length(length: int, stream: Callable[[], int]) -> int:
    """A length of the same class: 1, 2 to 3, 4 to 7, 8 to 15 …"""
    least = 1 << (length.bit_length() - 1)
    return least + stream() % least


def _pick(kind: str, stream: Callable[[], int]) -> str:
    letters = _LETTERS[kind]
    return letters[stream() % len(letters)]
