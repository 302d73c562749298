"""``core backup``: a copy of what is stored, also while the program runs."""

from __future__ import annotations

from pathlib import Path

import click

from .start import Start


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False))
@click.pass_obj
def backup(start: Start, *, directory: Path) -> None:
    """Copy what is stored to the new directory DIRECTORY; the program may go on meanwhile.

    The copy has journal.db and store.db as of one moment, and backup.json with their checksums. It is checked page by
    page before DIRECTORY appears, so a backup that is there is a good one. Files in DATA_DIR/attachments never change;
    copy them with any tool.

    \b
    Every night, by cron:
      python -m core backup backups/$(date +%F)
    """
    import time

    from ..disk.backup import back_up

    data = start.settings().data_dir
    made = back_up(data, directory, now=time.time_ns() // 1_000_000)
    size = sum(entry.stat().st_size for entry in directory.iterdir())
    click.secho(f"{directory} is a sound copy of {data}.", fg="green")
    click.echo(f"Events up to position {made.head}, handled up to {made.cursor}; {size / 2**20:.1f} MB.")
    if (data / "attachments").exists():
        click.echo(f"The files in {data / 'attachments'} are not part of it; copy them with any tool.")
    click.echo(f"Back from it, should anything be damaged: python -m core restore {directory}")
