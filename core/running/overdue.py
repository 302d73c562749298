"""What no plugin says about itself: that it does not come back, and that it took away what the log is written to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from loguru import logger

from .bus import PluginConsumer

LOOK_EVERY: Final = 1.0
"""Seconds between two looks."""


async def watch(consumers: Callable[[], Sequence[PluginConsumer]], log_restored: Callable[[], bool]) -> None:
    """Look until cancelled; each trouble is told once, as long as it lasts.

    ``log_restored`` sets logging up again where it was taken down, and says whether it did.
    """
    told: set[str] = set()
    while True:
        await asyncio.sleep(LOOK_EVERY)
        if log_restored():
            logger.warning("Something removed what the log is written to; it was put back. A plugin must not do that")
        stuck = {consumer.plugin.name: consumer.overdue() for consumer in consumers()}
        for name, hook in stuck.items():
            if hook and name not in told:
                logger.error(
                    "Plugin {} does not come back from {}. It blocks its thread, which nobody can end; the others run, "
                    "its events wait. Its author has to await what takes long; disable it, then restart",
                    name,
                    hook,
                )
        told = {name for name, hook in stuck.items() if hook}
