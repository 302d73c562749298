"""``core run``: connect, and let the enabled plugins work until Ctrl+C."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from ..errors import StorageError
from .start import Start, directory_of

if TYPE_CHECKING:
    import asyncio

    from ..app import Application, Left
    from ..loading.plugins import Loaded
    from ..running.reload import Reload
    from ..settings import Settings
    from ..trial import SandboxProcess

QUIET: Final = 1.0
"""Seconds for which nothing may be left to do before ``--until-idle`` ends the program."""
SILENCE: Final = 10.0
"""Seconds without an event after which the real platform counts as silent for ``--until-idle``."""


@click.command()
@click.option("--sandbox", is_flag=True, help="Against an offline Feishu with a lively group; no credentials needed.")
@click.option(
    "--scenario",
    default="bundled",
    show_default=True,
    metavar="bundled|quiet|FILE",
    help="What happens in the sandbox.",
)
@click.option("--speed", default=86_400.0, show_default=True, help="The sandbox's time; 86400 plays a day in a second.")
@click.option("--seed", default=1, show_default=True, help="The same seed gives the same scenario.")
@click.option(
    "--journal",
    "recording",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="First put the events of this file into the journal, as `core load` does.",
)
@click.option(
    "--since", metavar="WHEN", help="Read the groups' history first, from a date (2026-11-01) or for 7d, 12h."
)
@click.option("--until-idle", is_flag=True, help="Stop once everything received is handled and written.")
@click.option("--plain", is_flag=True, help="Log lines instead of the live view, also on a terminal.")
@click.pass_context
def run(
    ctx: click.Context,
    *,
    sandbox: bool,
    scenario: str,
    speed: float,
    seed: int,
    recording: Path | None,
    since: str | None,
    until_idle: bool,
    plain: bool,
) -> None:
    """Connect, and let the enabled plugins work until Ctrl+C.

    With --sandbox an offline Feishu is started beside it, in which two months of a group are played (a file of
    messages with --scenario FILE, as fast as they are handled with --speed 0). Its data goes to data/sandbox, which is
    made anew each time; read it with `python -m core --sandbox tables`. With --journal FILE as well nothing else
    happens there than what FILE recorded.

    After a time in which it was not connected it reads what was missed, by itself. With --since it also reads what was
    said before it first ran; what it has already is not counted twice.
    """
    import asyncio

    start: Start = ctx.obj
    given = [name for name in ("scenario", "speed", "seed") if _given(ctx, name)]
    if given and not (sandbox or start.sandbox):
        raise click.UsageError(f"--{given[0]} is for the sandbox; add --sandbox")
    if since is not None and (sandbox or start.sandbox):
        raise click.UsageError("--since is for the real platform: nothing was said in the sandbox before it began")
    if sandbox or start.sandbox:
        if recording is not None and "scenario" not in given:
            scenario = "quiet"
        options = ["--scenario", scenario, "--speed", str(speed), "--seed", str(seed)]
        left = asyncio.run(_try_out(start.env, options, recording, until_idle=until_idle, plain=plain))
    else:
        left = asyncio.run(_go_live(start.env, since, recording, until_idle=until_idle, plain=plain))
    click.echo(str(left), err=True)


def _given(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


async def _try_out(
    env: Mapping[str, str], options: list[str], recording: Path | None, *, until_idle: bool, plain: bool
) -> Left:
    from ..disk.instance import LOCK, sole_instance
    from ..settings import load_settings
    from ..trial import UNLIMITED, SandboxProcess, empty

    directory = directory_of(load_settings(env, needs_credentials=False).data_dir)
    with sole_instance(directory):
        empty(directory, keep=LOCK)
        sandbox = await SandboxProcess.start(options)
        try:
            everywhere = {"CHAT_ID": "", "DATA_DIR": str(directory)}
            given = {"API_MONTHLY_QUOTA": UNLIMITED, **env, **sandbox.environment, **everywhere}
            return await _work(*_loaded(given), sandbox, recording=recording, until_idle=until_idle, plain=plain)
        finally:
            await sandbox.stop()


async def _go_live(
    env: Mapping[str, str], since: str | None, recording: Path | None, *, until_idle: bool, plain: bool
) -> Left:
    from ..app import milliseconds
    from ..disk.instance import sole_instance
    from ..history.gaps import moment

    settings, loaded, reload = _loaded(env)
    try:
        start = moment(since, milliseconds(), settings.zone) if since is not None else None
    except ValueError as problem:
        raise click.BadParameter(str(problem), param_hint="--since") from problem
    with sole_instance(settings.data_dir):
        return await _work(
            settings, loaded, reload, None, start, recording=recording, until_idle=until_idle, plain=plain
        )


def _loaded(env: Mapping[str, str]) -> tuple[Settings, Loaded, Reload]:
    """What the program starts with, and what brings later changes of ``plugins.toml``."""
    from ..running.reload import PluginsFile, Reload
    from .check import checked

    file = PluginsFile(Path(env.get("PLUGINS_FILE") or "plugins.toml"))  # Before it is read, to miss no change.
    settings, loaded = checked(env, needs_credentials=True)
    return settings, loaded, Reload(file, lambda: checked(env, needs_credentials=True)[1])


async def _work(
    settings: Settings,
    loaded: Loaded,
    reload: Reload,
    sandbox: SandboxProcess | None,
    since: int | None = None,
    *,
    recording: Path | None = None,
    until_idle: bool,
    plain: bool,
) -> Left:
    import asyncio

    from ..app import Application
    from ..loading.prints import only_the_program_prints
    from ..logs import set_up
    from ..running.overdue import watch
    from ..signals import obey_signals
    from ..trial import SandboxFailed
    from ..view import LiveView, PlainView

    if recording is not None:
        _load(recording, settings, [plugin.name for plugin in loaded.plugins])
    application = Application(settings, loaded.plugins, unfit=loaded.unfit, reload=reload, since=since)
    obey_signals(application)
    lively = sys.stdout.isatty() and not plain
    view = LiveView(application, sandbox) if lively else PlainView(application, sandbox)
    log_restored = set_up(settings.log_dir, settings.log_level, console=view.log)
    _tell(loaded)
    side = [
        asyncio.create_task(view.show(), name="What shows the state"),
        asyncio.create_task(watch(lambda: application.consumers, log_restored), name="The watch over plugins"),
    ]
    if sandbox is not None:
        side.append(asyncio.create_task(_stop_with(sandbox, application), name="The watch over the sandbox"))
    if until_idle:
        side.append(asyncio.create_task(_stop_when_idle(application, sandbox), name="The wait for --until-idle"))
    for task in side:
        task.add_done_callback(_tell_end)
    try:
        with only_the_program_prints():
            left = await application.run()
        if sandbox is not None and sandbox.gone is not None:
            raise SandboxFailed(f"the sandbox ended by itself (exit code {sandbox.gone}). {left}")
        return left
    finally:
        for task in side:
            task.cancel()
        await asyncio.gather(*side, return_exceptions=True)


def _tell(loaded: Loaded) -> None:
    """Say once what is wrong with the plugins."""
    from loguru import logger

    for unfit in loaded.unfit:
        logger.error("Plugin {} ({}) is set aside, the others run. {}", unfit.name, unfit.source, unfit)
    for plugin in loaded.plugins:
        for remark in plugin.remarks:
            logger.warning("{}: {} ({})", remark.where, remark.what, remark.fix)


def _load(recording: Path, settings: Settings, plugins: Sequence[str]) -> None:
    from ..replaying.recording import load
    from ..storage import open_engine

    with open_engine(settings.data_dir) as engine:
        loaded = load(recording, engine, plugins)
    click.echo(f"{loaded.fresh} events loaded from {recording}, {loaded.duplicates} were there already.", err=True)


async def _stop_with(sandbox: SandboxProcess, application: Application) -> None:
    await sandbox.ended()
    application.stop()


async def _stop_when_idle(application: Application, sandbox: SandboxProcess | None) -> None:
    import asyncio

    quiet = 0.0
    while quiet < QUIET:
        await asyncio.sleep(0.25)
        over = sandbox.over(await sandbox.stats()) if sandbox else application.silent_for >= SILENCE
        try:
            quiet = quiet + 0.25 if over and application.idle else 0.0
        except StorageError:  # Then nobody can say; the status tells why.
            quiet = 0.0
    application.stop()


def _tell_end(task: asyncio.Task[None]) -> None:
    """Say that something beside the program's own work broke down; nobody else waits for it."""
    from loguru import logger

    if not task.cancelled() and (error := task.exception()) is not None:
        logger.opt(exception=error).error("{} broke down, everything else goes on.", task.get_name())
