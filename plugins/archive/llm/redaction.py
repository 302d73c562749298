"""What is taken out of a text before it goes to a language model.

Numbers and keys are replaced for good; names of people are replaced by placeholders that are put back in the answer.
It errs on the side of taking out too much: a lost order number harms a summary less than a leaked card number.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from typing import Final

PHONE: Final = "[电话]"
EMAIL: Final = "[邮箱]"
IDENTITY: Final = "[证件号]"
CARD: Final = "[卡号]"
SECRET: Final = "[密钥]"  # noqa: S105 - a placeholder.
ID: Final = "[ID]"

LONGEST: Final = 8_000

_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
"""GB 11643-1999: of the first 17 digits of a resident identity number."""

_IDS: Final = re.compile(r"(?<![A-Za-z0-9_])(?:ou|on|oc|om|omt|cli)_(?=[A-Za-z_-]*\d)[A-Za-z0-9_-]{8,}")
"""With a digit, as all of them have: ``on_message_received`` is a word of whoever writes programs."""
_KEY_BLOCK: Final = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|\Z)", re.DOTALL
)
_BEARER: Final = re.compile(r"\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{6,}", re.IGNORECASE)
_ASSIGNED: Final = re.compile(
    r"((?:pass(?:word|wd|phrase)?|pwd|secret|token|credential|api[_-]?key|(?:access|secret|private)[_-]?key"
    r"|app[_-]?(?:secret|key)|authorization|密码|口令|密钥|秘钥|令牌|验证码)[\"'`]?\s*(?:[:=]|是|为|is\b)\s*[\"'`]?)"
    r"[^\s\"'`,;&<>\u0080-\U0010ffff]{4,}",
    re.IGNORECASE,
)
_USERINFO: Final = re.compile(r"(\b[a-z][a-z0-9+.-]{0,20}://)[^\s/@:]{0,200}:[^\s/@]{1,200}@", re.IGNORECASE)
_KNOWN_KEYS: Final = re.compile(
    r"""(?<![A-Za-z0-9])(?:
      (?:sk|pk|rk|ak)-[A-Za-z0-9_-]{12,}
    | (?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{10,}
    | (?:AKIA|ASIA)[0-9A-Z]{12,}
    | (?:LTAI|AKID|AKLT)[0-9A-Za-z]{10,}
    | gh[opsur]_[A-Za-z0-9]{20,} | github_pat_\w{20,} | glpat-[\w-]{16,}
    | xox[abeoprs]-[A-Za-z0-9-]{10,}
    | AIza[0-9A-Za-z_-]{30,}
    | [tu]-[A-Za-z0-9._-]{24,}
    | eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?
    | [0-9a-fA-F]{32,}(?:\.[A-Za-z0-9]{8,})?
    | (?=[A-Z0-9_+-]{0,99}[a-z])(?=[a-z0-9_+-]{0,99}[A-Z])(?=[A-Za-z_+-]{0,99}[0-9])[A-Za-z0-9_+-]{24,}={0,2}
    )""",
    re.VERBOSE,
)
_EMAILS: Final = re.compile(r"(?:[A-Za-z0-9._%+-]{1,64}|\w{1,8})@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+")
_LONG_NUMBER: Final = re.compile(r"(?<![\d.])\d(?:[ -]?\d){12,20}(?:[ -]?[Xx](?![A-Za-z0-9]))?(?!\d)", re.ASCII)
_PHONES: Final = re.compile(
    r"""(?<!\d)(?<!\d\.)(?:
      (?:\+?0{0,2}86[-\s]?)?1[3-9]\d[-\s]?\d{4}[-\s]?\d{4}  # a mobile number of the mainland
    | (?:\+|00)[1-9]\d{0,2}(?:[-\s.]?\(?\d\)?){6,13}         # with a country code
    | \(?0\d{2,3}\)?[-\s]?\d{3,4}[-\s]?\d{4}(?:[-转]\d{1,6})?  # a landline of the mainland
    | [48]00[-\s]?\d{3}[-\s]?\d{4}                           # a service number
    | \(?\d{3}\)?[-.\s]\d{3}[-.\s]\d{4}                      # as written in North America
    )(?!\d)""",
    re.VERBOSE | re.ASCII,
)


def redacted(text: str) -> str:
    """``text`` without phone, identity and card numbers, e-mail addresses, keys and passwords.

    What is returned is in NFKC, without invisible characters, and made of the first ``LONGEST`` code points.
    """
    plain = _plain(text[:LONGEST])
    plain = _KEY_BLOCK.sub(SECRET, plain)
    plain = _USERINFO.sub(rf"\1{SECRET}@", plain)
    plain = _BEARER.sub(rf"\1 {SECRET}", plain)
    plain = _ASSIGNED.sub(rf"\1{SECRET}", plain)
    plain = _KNOWN_KEYS.sub(_unless_numeric, plain)
    plain = _EMAILS.sub(EMAIL, plain)
    plain = _LONG_NUMBER.sub(_number, plain)
    return _PHONES.sub(PHONE, plain)


def nameless(text: str) -> str:
    """``text`` without IDs of people, bots, groups and messages."""
    return _IDS.sub(ID, text)


class Names:
    """Placeholders for people's names: 成员1, 成员2 … in the order the people first speak."""

    _WORDS: Final = ("成员", "人员", "参与者", "Member")

    def __init__(self, names: Iterable[str], texts: Iterable[str]) -> None:
        said = "\n".join(texts)
        # A word that nobody wrote before a number, or the restored text would name somebody who was not meant.
        self._word = next((word for word in self._WORDS if not re.search(rf"{word}\s?\d", said)), "成员_")
        self._names = tuple(dict.fromkeys(name for name in names if name.strip()))
        self._numbers = {_plain(name): number for number, name in enumerate(self._names, 1)}
        # The longest first, so that 张三丰 is not taken for 张三; one letter alone is a word like any other.
        known = sorted((name for name in self._numbers if len(name) > 1), key=len, reverse=True)
        self._mentioned = re.compile("|".join(map(_whole, known))) if known else None
        self._placed = re.compile(rf"{re.escape(self._word)}\s?(\d{{1,6}})")

    def of(self, name: str) -> str:
        """The placeholder of one of the people."""
        number = self._numbers.get(_plain(name))
        return f"{self._word}{number}" if number else ""

    def hide(self, text: str) -> str:
        """``text`` with placeholders, in NFKC."""
        plain = _plain(text)
        return self._mentioned.sub(lambda found: self.of(found[0]), plain) if self._mentioned else plain

    def restore(self, text: str) -> str:
        """``text`` with names; a placeholder that stands for nobody stays."""
        return self._placed.sub(self._name, text)

    def _name(self, found: re.Match[str]) -> str:
        number = int(found[1])
        return self._names[number - 1] if 0 < number <= len(self._names) else found[0]


def _plain(text: str) -> str:
    """In NFKC and without invisible characters, so that no way of writing hides a number."""
    return "".join(char for char in unicodedata.normalize("NFKC", text) if unicodedata.category(char) != "Cf")


def _whole(name: str) -> str:
    """Names in Latin letters stand alone: Ann is not part of Anniversary."""
    start = r"(?<![A-Za-z0-9])" if name[0].isascii() else ""
    end = r"(?![A-Za-z0-9])" if name[-1].isascii() else ""
    return f"{start}{re.escape(name)}{end}"


def _unless_numeric(found: re.Match[str]) -> str:
    return found[0] if found[0].isdigit() else SECRET


def _number(found: re.Match[str]) -> str:
    digits = re.sub(r"[ -]", "", found[0]).upper()
    tests: tuple[tuple[Callable[[str], bool], str], ...] = ((_is_identity, IDENTITY), (_is_card, CARD))
    return next((label for holds, label in tests if holds(digits)), found[0])


def _is_identity(digits: str) -> bool:
    """A resident identity number with its check digit, or one of the 15 digits issued before 1999."""
    if len(digits) == 18 and digits[:17].isdigit():
        total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, digits[:17], strict=True))
        return "10X98765432"[total % 11] == digits[17]
    return len(digits) == 15 and digits.isdigit() and digits[8:10] <= "12" and "01" <= digits[10:12] <= "31"


def _is_card(digits: str) -> bool:
    """13 to 19 digits that pass Luhn's test (ISO/IEC 7812-1)."""
    if not (13 <= len(digits) <= 19 and digits.isdigit()):
        return False
    doubled = [int(digit) * (2 if place % 2 else 1) for place, digit in enumerate(reversed(digits))]
    return sum(value - 9 if value > 9 else value for value in doubled) % 10 == 0
