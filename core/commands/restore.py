"""``core restore``: the way back from a backup."""

from __future__ import annotations

from pathlib import Path

import click

from .start import Start


@click.command()
@click.argument("directory", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--whole", is_flag=True, help="Go back to the backup altogether, also where nothing is damaged.")
@click.pass_obj
def restore(start: Start, *, directory: Path, whole: bool) -> None:
    """Take from the backup in DIRECTORY what is damaged or gone; the program has to be stopped.

    What is sound stays as it is. Of a damaged journal every event is kept that can still be read, and tables that are
    taken from the backup catch up from the journal at the next start: what arrived since the backup is not lost.
    With --whole both databases become what they were, and what was stored since is put aside.

    Replaced files are moved to DATA_DIR/replaced-…, nothing is deleted.
    """
    import time

    from ..disk.backup import restore as bring_back
    from ..disk.instance import sole_instance

    data = start.settings().data_dir
    with sole_instance(data):
        done = bring_back(data, directory, whole=whole, now=time.time_ns() // 1_000_000, tell=click.echo)
    click.secho(f"Taken from {directory}: {', '.join(done.taken)}.", fg="green")
    if done.salvaged:
        click.echo(f"{done.salvaged} events that are not in the backup were read from the damaged journal.")
    if done.aside is not None:
        click.echo(f"What was replaced is in {done.aside}.")
    if "store.db" in done.taken:
        click.echo("Start the program; its tables catch up from the journal. What Bitable shows may differ until then.")
