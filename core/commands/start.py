"""What every command starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..settings import Settings, load_settings


@dataclass(frozen=True, slots=True)
class Start:
    """The environment, and whose data is meant."""

    env: Mapping[str, str]
    sandbox: bool

    def settings(self) -> Settings:
        """The settings; with ``--sandbox`` those of the sandbox's data. Raises ``ConfigurationError``."""
        settings = load_settings(self.env, needs_credentials=False)
        return settings.model_copy(update={"data_dir": directory_of(settings.data_dir)}) if self.sandbox else settings


def directory_of(data_dir: Path) -> Path:
    """Where a trial keeps its data: ``sandbox`` below the data directory, so real data is never touched."""
    return data_dir / "sandbox"
