"""A group in which nothing happens by itself: the cast for tests and for clients that bring their own events."""

from __future__ import annotations

from .ids import Ids
from .scenario.act import Chat, Person, Scenario

NAME = "quiet"
NAMES = (("李雷", "Li Lei"), ("韩梅梅", "Han Meimei"), ("王芳", "Wang Fang"), ("张伟", "Zhang Wei"))


def load(*, seed: int) -> Scenario:
    """Four people in one group, and no acts; the same seed gives the same ids."""
    ids = Ids(f"quiet {seed}")
    people = tuple(Person(f"ou_{ids.hex()}", f"on_{ids.hex()}", ids.hex(8), name, en_name) for name, en_name in NAMES)
    members = tuple(person.open_id for person in people)
    chat = Chat(ids.chat(), "安静的群", members, owner=members[0])
    return Scenario(NAME, people, (chat,), lambda: iter(()), 0)
