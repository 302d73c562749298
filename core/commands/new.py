"""``core new``: a package for a new plugin, complete and with tests that pass."""

from __future__ import annotations

from pathlib import Path

import click

from ..scaffold import LICENSES


@click.command()
@click.argument("name")
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Where the package's folder is made.  [default: here]",
)
@click.option("--author", default="", metavar='"ANN <ann@…>"', help="Whose it is; may be left out.")
@click.option("--license", "terms", type=click.Choice(LICENSES), default="MIT", show_default=True)
@click.option("--table/--no-table", default=True, show_default=True, help="With a table, or a few facts only.")
@click.pass_context
def new(context: click.Context, *, name: str, into: Path, author: str, terms: str, table: bool) -> None:
    """Write a package for a new plugin, in a folder called NAME.

    It counts how often each person says a word: change that to what you want. It comes with tests, which pass, and a
    plugins.toml to try it with. Nothing that exists is overwritten.
    """
    from datetime import UTC, datetime

    from .. import __version__
    from ..loading.packages import available
    from ..scaffold import AlreadyThere, NewPlugin, NoSuchName, checked_name

    try:
        program = context.find_root().command
        commands = program.list_commands(context) if isinstance(program, click.Group) else []
        plugin = checked_name(name, {one.name: one.source for one in available().values()}, commands)
    except NoSuchName as problem:
        raise click.BadParameter(str(problem), param_hint="NAME") from problem
    try:
        package = NewPlugin(plugin, author, terms, table)
        folder = package.write(into, version=__version__, year=datetime.now(UTC).year)
    except AlreadyThere as problem:
        raise click.BadParameter(str(problem), param_hint="NAME") from problem
    except OSError as problem:
        raise click.ClickException(f"{into}: {problem.strerror or problem}") from problem
    click.echo(f"{folder} is the package {package.distribution}, with the plugin {plugin}. Next:\n")
    click.echo(f"  cd {folder} && pip install -e '.[dev]'")
    click.echo("  pytest")
    click.echo("  python -m core run --sandbox")
