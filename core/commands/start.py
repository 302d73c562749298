"""What every command starts from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigurationError, Problem

if TYPE_CHECKING:
    from ..settings import Settings
    from ..storage.protocol import Engine


@dataclass(frozen=True, slots=True)
class Start:
    """The environment, and whose data is meant."""

    env: Mapping[str, str]
    sandbox: bool

    def settings(self) -> Settings:
        """The settings; with ``--sandbox`` those of the sandbox's data. Raises ``ConfigurationError``."""
        from ..settings import load_settings

        settings = load_settings(self.env, needs_credentials=False)
        return settings.model_copy(update={"data_dir": directory_of(settings.data_dir)}) if self.sandbox else settings

    def engine(self) -> Engine:
        """The storage of that data. Raises ``ConfigurationError`` when there is none yet."""
        from ..storage import open_engine

        directory = self.settings().data_dir
        if not (directory / "store.db").exists():
            fix = "run the program first, set DATA_DIR, or use the sandbox's data: python -m core --sandbox …"
            raise ConfigurationError([Problem(str(directory), "nothing is stored there yet", fix)])
        return open_engine(directory)


def directory_of(data_dir: Path) -> Path:
    """Where a trial keeps its data: ``sandbox`` below the data directory, so real data is never touched."""
    return data_dir / "sandbox"
