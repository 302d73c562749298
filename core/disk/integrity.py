"""Is what is stored sound? Pages, checksums, and whether the two databases belong together; it repairs nothing."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Final

from ..errors import Problem, StorageError
from ..storage.sqlite.files import findings, open_journal, open_store

NAMES: Final = ("journal.db", "store.db")
RESTORE: Final = (
    "stop the program and run `python -m core restore DIR` with the last backup: it takes from there what is damaged"
)
AT_ONCE: Final = 500


def hurt_pages(directory: Path, *, thorough: bool = False) -> list[Problem]:
    """The databases below ``directory`` whose pages are damaged; ``thorough`` compares the indexes too."""
    problems = []
    for name in NAMES:
        path = directory / name
        found = findings(path, thorough=thorough) if path.exists() else []
        if found:
            more = f" (and {len(found) - 1} more findings)" if len(found) > 1 else ""
            problems.append(Problem(str(path), f"the file is damaged: {found[0]}{more}", RESTORE))
    return problems


def inspect(directory: Path) -> list[Problem]:
    """Everything that is wrong with what is stored: every page, every event, and how the two databases fit."""
    problems = hurt_pages(directory, thorough=True)
    if problems:
        return problems
    missing = [name for name in NAMES if not (directory / name).exists()]
    if len(missing) == len(NAMES):
        return [Problem(str(directory), "nothing is stored there yet", "run the program first")]
    if missing:
        return [Problem(str(directory), f"{' and '.join(missing)} is not there", RESTORE)]
    try:
        return [*_hurt_events(directory / "journal.db"), *_misfits(directory)]
    except StorageError as error:
        return [Problem(str(directory), str(error), RESTORE)]


def _hurt_events(path: Path) -> list[Problem]:
    found: list[int] = []
    with closing(open_journal(path)) as journal:
        damaged, reached = journal.scrub(0, AT_ONCE)
        while reached:
            found += damaged
            damaged, reached = journal.scrub(reached, AT_ONCE)
    if not found:
        return []
    some = ", ".join(map(str, found[:10])) + ("…" if len(found) > 10 else "")
    fix = "nothing: they go into quarantine when the program looks next; the others are not affected"
    return [Problem(str(path), f"{len(found)} events are damaged (CRC): {some}", fix)]


def _misfits(directory: Path) -> list[Problem]:
    journal_file, store_file = (directory / name for name in NAMES)
    with closing(open_store(store_file)) as store, closing(open_journal(journal_file)) as journal:
        head = journal.head()
        return [
            Problem(
                str(directory),
                f"{consumer.plugin} has handled event {consumer.cursor} but the journal ends at {head}:"
                " journal.db was lost or replaced",
                "put the right journal.db back, or take both from a backup: python -m core restore DIR --whole",
            )
            for consumer in store.consumers()
            if consumer.cursor > head
        ]
