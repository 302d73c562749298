"""Finds a scenario by its name or by its file."""

from __future__ import annotations

from pathlib import Path

from . import bundled, jsonl
from .act import Scenario, ScenarioError


def load(name_or_path: str, *, seed: int, progress: jsonl.Progress | None = None, **rates: float) -> Scenario:
    """``bundled``, or the path of a JSONL file, which may end in ``.gz``.

    ``rates`` (see ``jsonl.Rates``) and ``progress`` are for files. Raises ``ScenarioError``.
    """
    if name_or_path == bundled.NAME:
        if rates:
            raise ScenarioError(f"the {bundled.NAME} scenario has its own rates; {', '.join(rates)} is for files")
        return bundled.load(seed=seed)
    path = Path(name_or_path)
    if not path.is_file():
        raise ScenarioError(
            f"no scenario {name_or_path!r}: give {bundled.NAME!r} or the path of a .jsonl or .jsonl.gz file"
        )
    try:
        chosen = jsonl.Rates(**rates)
    except TypeError as error:
        known = ", ".join(jsonl.Rates.__slots__)
        raise ScenarioError(f"no rate of that name among {', '.join(rates)}: there is {known}") from error
    return jsonl.load(path, seed=seed, rates=chosen, progress=progress)
