"""What the operator decides: ``[plugins.commands.config]`` in ``plugins.toml``."""

from __future__ import annotations

from pydantic import Field, field_validator

from core import Config

from .command import NAME


class CommandsConfig(Config):
    """How commands are asked for."""

    needs_mention: bool = False
    """Whether the bot has to be mentioned in groups; privately never."""
    aliases: dict[str, str] = Field(
        default_factory=lambda: {"帮助": "help", "排行": "rank", "话题": "topics", "置顶": "pins"}
    )
    """Words that stand for a command, with a slash or without."""
    per_minute: int = Field(6, ge=1, le=60)
    """Commands that one person may give in a minute, pressed buttons too; what is more is not answered."""
    hint: bool = False
    """Whether an unknown command is answered; off, as other bots may know it."""

    @field_validator("aliases")
    @classmethod
    def _words(cls, value: dict[str, str]) -> dict[str, str]:
        for word, name in value.items():
            if word.split() != [word] or word.startswith(("/", "／")):
                raise ValueError(f"an alias is one word without a slash, not {word!r}")
            if not NAME.match(name):
                raise ValueError(f"{word!r} stands for a command by its name, such as help, not {name!r}")
        return value
