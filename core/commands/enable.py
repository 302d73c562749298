"""``core plugins enable`` and ``disable``: one line of ``plugins.toml``, also while the program runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import ConfigurationError, Problem
from .start import Start

if TYPE_CHECKING:
    from ..loading.plugins import Loaded


@click.command()
@click.argument("name")
@click.option("--from-start", is_flag=True, help="Begin with the oldest event that is kept, not with the next one.")
@click.option("--force", is_flag=True, help="Enable it although it cannot be loaded as it is.")
@click.pass_obj
def enable(start: Start, *, name: str, from_start: bool, force: bool) -> None:
    """Enable a plugin in plugins.toml, where everything else stays as it is.

    A program that runs starts it within seconds. A plugin that never ran begins with the next event, or with
    --from-start with the oldest one that is kept; one that ran before goes on where it stopped.
    """
    from ..loading.packages import available
    from ..manifest import Config
    from ..running.sections import switched

    there = available()
    if name not in there:
        raise click.UsageError(f"there is no plugin {name!r}; there are: {', '.join(there) or 'none'}")
    file = start.settings().plugins_file
    text = _text(file, missing_ok=True)
    loaded = _tried(start, name, switched(text, name, on=True), file)
    if loaded.unfit and not force:
        click.echo(f"{name} is not enabled: it could not run. --force enables it all the same.", err=True)
        raise ConfigurationError(loaded.problems)
    began = _begin(start, name) if from_start else ""
    config = loaded.plugins[0].manifest.config if loaded.plugins else Config
    changed = _write(file, text, switched(text, name, on=True, config=config))
    click.echo(f"{name} is enabled in {file}." if changed else f"{name} is enabled in {file} already.")
    if began:
        click.echo(began)
    _say_when(start)


@click.command()
@click.argument("name")
@click.pass_obj
def disable(start: Start, *, name: str) -> None:
    """Disable a plugin in plugins.toml, where everything else stays as it is.

    A program that runs ends it within seconds, after the batch it is at. Its tables, its position in the journal and
    its section in the file are kept.
    """
    from ..running.sections import switched
    from ..settings import read_sections

    file = start.settings().plugins_file
    text = _text(file)
    sections, problems = read_sections(text, file)
    if name not in sections and not any(f"[plugins.{name}]" in problem.where for problem in problems):
        if problems and not sections:
            raise ConfigurationError(problems)
        raise click.UsageError(f"{file} names no plugin {name!r}; it names: {', '.join(sections) or 'none'}")
    if name in sections and not sections[name].enabled:
        click.echo(f"{name} is not enabled in {file}.")
        return
    _write(file, text, switched(text, name, on=False))
    click.echo(f"{name} is disabled in {file}; what it stored is kept.")
    _say_when(start)


def _text(file: Path, *, missing_ok: bool = False) -> str:
    try:
        return file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        if missing_ok:
            return ""
        raise click.UsageError(f"there is no {file}; set PLUGINS_FILE, or enable a plugin first") from error
    except (OSError, UnicodeDecodeError) as error:
        fix = "save it as UTF-8 text that this user may read"
        raise ConfigurationError([Problem(str(file), f"cannot be read: {error}", fix)]) from error


def _tried(start: Start, name: str, text: str, file: Path) -> Loaded:
    """The plugin as that text configures it; alone, so that nobody else is imported."""
    from ..loading.plugins import Loaded, Unfit, load_all
    from ..settings import read_sections

    sections, problems = read_sections(text, file)
    if name not in sections:
        return Loaded((), (Unfit(name, "", tuple(problems)),))
    return load_all({name: sections[name]}, start.env, file)


def _begin(start: Start, name: str) -> str:
    """Have a plugin that never ran begin with the oldest event; what to tell about it."""
    directory = start.settings().data_dir
    if not (directory / "store.db").exists():
        return "Nothing is stored yet: it begins with the first event."
    with start.engine() as engine:
        store = engine.store()
        try:
            if store.standing(name) is not None:
                raise click.UsageError(
                    f"{name} ran before, and what it has handled must not be counted twice; enable it without "
                    f"--from-start, or build its tables anew: python -m core replay {name}"
                )
            store.cursor(name, 0)  # Its cursor is the request: whoever starts it finds it there.
        finally:
            store.close()
    return "It begins with the oldest event that is kept."


def _write(file: Path, before: str, text: str) -> bool:
    """Replace the file unless it says so already; whether it was changed."""
    from ..disk.rewriting import rewrite

    if text == before:
        return False
    try:
        file.touch()  # With the mode that new files have here; what is replaced keeps its own.
        rewrite(file, text)
    except OSError as error:
        fix = "give this user the right to write it and its directory"
        raise ConfigurationError([Problem(str(file), f"cannot be written: {error}", fix)]) from error
    return True


def _say_when(start: Start) -> None:
    from ..disk.instance import in_use

    directory = start.settings().data_dir
    if in_use(directory):
        click.echo("The running program takes that up within seconds.")
    else:
        click.echo(f"No program works on {directory} now; it counts from the next start.")
