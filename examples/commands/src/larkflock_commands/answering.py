"""A command is called; whatever happens in it, the others go on."""

from __future__ import annotations

import asyncio
from typing import Final

from core import Context, Retry

from .command import Answer, Call, Usage, at_most
from .registry import HELP, Registry
from .settings import CommandsConfig

PATIENCE: Final = 10.0
"""Seconds a command may take."""


class Failed(Exception):
    """There is no answer; the text says so to whoever asked."""


async def answered(name: str, call: Call, ctx: Context[CommandsConfig], registry: Registry) -> Answer:
    """What the command of this name answers. Raises ``Usage``, ``Retry`` as the command does, otherwise ``Failed``."""
    if name == HELP:
        at_most(call.arguments, 0)
        return _help(registry, ctx.config)
    command = registry.commands.get(name)
    if command is None:
        raise Failed(f"没有 /{name} 这个命令，用 /{HELP} 看所有命令。")
    try:
        async with asyncio.timeout(PATIENCE):
            answer = await command.answer(call, ctx)
        if not isinstance(answer, Answer):
            raise TypeError(f"a command returns an Answer, not {type(answer).__name__}")
    except (Usage, Retry):
        raise
    except Exception as error:
        ctx.log.opt(exception=error).error("command /{name} failed", name=name)
        raise Failed(f"/{name} 出错了，已经记入日志。") from error
    return answer


def _help(registry: Registry, config: CommandsConfig) -> Answer:
    words: dict[str, list[str]] = {}
    for word, name in config.aliases.items():
        words.setdefault(name, []).append(word)
    lines = []
    for name, summary in registry.summaries.items():
        also = f"（{'、'.join(words[name])}）" if name in words else ""
        lines.append(f"{registry.usage(name)}{also}　{summary}")
    return Answer("命令", tuple(lines))
