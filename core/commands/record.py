"""``core record`` and ``core load``: a stretch of the journal saved to a file, and put into a journal again."""

from __future__ import annotations

import time
from pathlib import Path

import click

from .points import Point, point
from .start import Start


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--from", "begin", type=point, metavar="NUMBER|TIME", help="Begin there: an event's number, 2026-11-01, 7d ago."
)
@click.option("--to", "end", type=point, metavar="NUMBER|TIME", help="Stop before this.")
@click.option("--anonymize", is_flag=True, help="Replace people, texts, links, numbers and file names; times stay.")
@click.pass_obj
def record(start: Start, *, file: Path, begin: Point | None, end: Point | None, anonymize: bool) -> None:
    """Save events of the journal to FILE, one JSON object a line.

    \b
    Such a file is a fixture for tests and for trying out rules; works while the program runs.
      python -m core record week.jsonl --from 7d --anonymize
      python -m core run --sandbox --journal week.jsonl
    With --anonymize IDs and names become pseudonyms, the same throughout the file, and text becomes other text of
    the same language and about the same length. Look at the file before you give it away.
    """
    from ..replaying.anonymize import Anonymizer
    from ..replaying.recording import write

    zone, now = start.settings().zone, time.time_ns() // 1_000_000
    with start.engine() as engine:
        journal = engine.journal()
        try:
            after = 0 if begin is None else begin.before(journal, zone, now)
            until = journal.head() if end is None else end.before(journal, zone, now)
            if begin is not None and end is not None and until <= after:
                raise click.UsageError("--to is not after --from: there is nothing in between")
            written = write(file, journal, after, until, Anonymizer() if anonymize else None)
        finally:
            journal.close()
    click.echo(f"{written.events} events written to {file}")
    if written.left_out:
        click.echo(f"{written.left_out} that nobody can read were left out: there is no telling whom they name.")


@click.command("load")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@click.pass_obj
def load_recording(start: Start, *, file: Path) -> None:
    """Put the events of FILE into the journal; the enabled plugins handle them when the program runs.

    FILE comes from `core record`. The program has to be stopped. Events that are in the journal already are dropped.
    Use a data directory of its own (DATA_DIR): recorded events count like any others.
    """
    settings = start.settings()
    from ..disk.instance import sole_instance
    from ..replaying.recording import load
    from ..settings import load_plugins_file
    from ..storage import open_engine

    enabled = [name for name, section in load_plugins_file(settings.plugins_file).items() if section.enabled]
    with sole_instance(settings.data_dir), open_engine(settings.data_dir) as engine:
        loaded = load(file, engine, enabled)
    click.echo(f"{loaded.fresh} events loaded, {loaded.duplicates} were there already.")
