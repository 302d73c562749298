"""What plugin authors test with: ``from core.testing import Harness``; see docs/testing.md."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .answers import Call
    from .failures import (
        Blocked,
        HarnessFailure,
        NetworkReached,
        NeverIdle,
        NotRaised,
        NotRepeatable,
        Swallowed,
        TaskLeft,
        Unanswered,
    )
    from .harness import Harness
    from .program import Sent

__all__ = [
    "Blocked",
    "Call",
    "Harness",
    "HarnessFailure",
    "NetworkReached",
    "NeverIdle",
    "NotRaised",
    "NotRepeatable",
    "Sent",
    "Swallowed",
    "TaskLeft",
    "Unanswered",
]

_HOMES: Final = {"Call": "answers", "Harness": "harness", "Sent": "program"}
"""Which module holds which name, if not ``failures``: pytest imports this package in every environment it is in."""


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f".{_HOMES.get(name, 'failures')}", __name__), name)
    return value
