"""Waits for ever when it is started."""

from __future__ import annotations

import asyncio

from core import Manifest, hookimpl

manifest = Manifest(name="hang_at_startup", summary="Counts what is said.")


@hookimpl
async def startup() -> None:
    await asyncio.Event().wait()
