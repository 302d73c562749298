"""Ids in the platform's shapes from one seeded generator: the same seed and the same order give the same ids."""

from __future__ import annotations

import random
import string

LETTERS = string.ascii_letters + string.digits


class Ids:
    """The source of ids of one sandbox (prefixes: FEISHU.md §0)."""

    def __init__(self, seed: int | str) -> None:
        self._random = random.Random(f"ids {seed}")  # noqa: S311 — ids, not secrets

    def hex(self, digits: int = 32) -> str:
        """Lower-case hex digits."""
        return f"{self._random.getrandbits(4 * digits):0{digits}x}"

    def number(self, digits: int) -> str:
        """Decimal digits, the first not 0."""
        return str(self._random.randrange(10 ** (digits - 1), 10**digits))

    def letters(self, length: int) -> str:
        """ASCII letters and digits."""
        return "".join(self._random.choices(LETTERS, k=length))

    def message(self) -> str:
        return f"om_{self.hex()}"

    def thread(self) -> str:
        return f"omt_{self.hex(12)}"

    def chat(self) -> str:
        return f"oc_{self.hex()}"

    def reaction(self) -> str:
        return f"{self.letters(15)}-{self.letters(8)}"

    def image(self) -> str:
        return f"img_v3_02{self.letters(2).lower()}_{self._dashed()}g"

    def file(self) -> str:
        return f"file_v3_00{self.letters(2).lower()}_{self._dashed()}g"

    def _dashed(self) -> str:
        digits = self.hex()
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:31]))
