"""When what failed is tried again: rules over an error and how often it was met; it never waits."""

from __future__ import annotations

import random
from typing import Final

from ..errors import ApiFailure, NotReady, Retry, StorageError

MOST_ATTEMPTS: Final = 8
"""Attempts at one event, after which it is parked as a dead letter."""
NOT_YET: Final = (NotReady, StorageError, ApiFailure, TimeoutError)
"""What a start may raise any number of times."""
MOST_RACES: Final = 3
"""Starts of a plugin that may meet a module which another thread is importing."""


def backoff(attempts: int) -> float:
    """Seconds before attempt ``attempts`` + 1: doubling from 2 s to at most 10 min, with jitter."""
    return float(min(600.0, 2.0 ** min(attempts, 20)) * random.uniform(0.75, 1.25))  # noqa: S311


def pause(error: BaseException, attempts: int) -> float:
    """Seconds before the next attempt: what the plugin asked for, else ``backoff``."""
    return error.after if isinstance(error, Retry) and error.after is not None else backoff(attempts)


def passes(error: Exception, attempts: int) -> bool:
    """Whether a start that failed is tried again; whatever else it raises ends the plugin.

    So is one that failed as another thread was in the middle of an import: Python gives a thread half a module rather
    than have two wait for each other. A circle in a plugin's own modules says the same, so it is believed for
    ``MOST_RACES`` attempts only.
    """
    halves = isinstance(error, (ImportError, AttributeError)) and "partially initialized module" in str(error)
    return isinstance(error, NOT_YET) or (halves and attempts < MOST_RACES)
