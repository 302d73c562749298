"""Describes its configuration with a class that is no model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core import Context, Manifest, Message, hookimpl


@dataclass
class Options:
    """An ordinary class."""

    greeting: str = "hello"


manifest = Manifest(name="bad_config_model", summary="Counts what is said.", config=Options)  # type: ignore[arg-type]


@hookimpl
async def on_message(message: Message, ctx: Context[Any]) -> None:
    ctx.log.debug("heard")
