"""Ids that look like the platform's and depend on nothing but what they stand for."""

from __future__ import annotations

from hashlib import blake2b

from .act import Person


def identity(prefix: str, *meaning: object) -> str:
    """``prefix`` and 32 hexadecimal digits, the same for the same ``meaning`` on every machine."""
    return prefix + blake2b("\x1f".join(map(str, meaning)).encode(), digest_size=16).hexdigest()


def person(seed: int, key: str, name: str, en_name: str = "") -> Person:
    """Somebody with the three ids of one app; ``key`` tells namesakes apart."""
    return Person(
        open_id=identity("ou_", seed, "person", key),
        union_id=identity("on_", seed, "person", key),
        user_id=identity("", seed, "employee", key)[:8],
        name=name,
        en_name=en_name or name,
    )
