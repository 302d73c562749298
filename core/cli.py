"""The command line: its commands, what they start from, and how errors are told. It does none of the work itself."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import click

from . import __version__
from .commands.start import Start
from .errors import ConfigurationError, InstanceLocked, LarkflockError

if TYPE_CHECKING:
    from .loading.plugins import Plugin

EXIT_CONFIGURATION: Final = 2
EXIT_LOCKED: Final = 3

EPILOG: Final = """\b
First steps:
  python -m core run --sandbox     try everything offline, without credentials
  python -m core check             is the configuration right? every problem at once
  python -m core run               the real thing, with a filled-in .env

\b
Enabled plugins bring commands of their own:
  python -m core activity --help

\b
Settings come from the environment and .env, plugins from plugins.toml.
Exit codes: 0 clean stop · 1 error · 2 configuration is wrong · 3 another instance is running
"""


COMMANDS: Final = {
    "run": "run:run",
    "check": "check:check",
    "plugins": "plugins:plugins",
    "tables": "tables:tables",
    "backup": "backup:backup",
    "restore": "restore:restore",
    "dead": "dead:dead",
    "replay": "replay:replay",
    "record": "record:record",
    "load": "record:load_recording",
    "new": "new:new",
}
"""The core's own, ``module:attribute`` below ``commands``: each is imported when it is asked for."""


class Commands(click.Group):
    """The core's commands, and those of enabled plugins."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names of the core's commands."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command by name."""
        command: click.Command | None = None
        if cmd_name in COMMANDS:
            module, attribute = COMMANDS[cmd_name].split(":")
            command = getattr(import_module(f".commands.{module}", __package__), attribute)
        else:
            plugin = _enabled(cmd_name)
            if plugin is not None and plugin.manifest.commands:
                from .loading.plugins import command_of

                ctx.meta["plugin"] = plugin
                command = command_of(plugin)
        return command

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run, and turn this project's errors into their message and exit code."""
        try:
            return super().main(*args, **kwargs)
        except ConfigurationError as error:
            count = len(error.problems)
            click.secho(f"{count} problem{'s' if count != 1 else ''}:", fg="red", bold=True, err=True)
            for problem in error.problems:
                click.echo(f"  {problem}", err=True)
            sys.exit(EXIT_CONFIGURATION)
        except InstanceLocked as error:
            click.secho(str(error), fg="red", err=True)
            sys.exit(EXIT_LOCKED)
        except LarkflockError as error:
            click.secho(str(error), fg="red", err=True)
            sys.exit(1)


@click.group(
    cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}, epilog=EPILOG
)
@click.option("--sandbox", is_flag=True, help="Use the data of the last `run --sandbox`.")
@click.version_option(__version__, message="larkflock %(version)s")
@click.pass_context
def main(ctx: click.Context, *, sandbox: bool) -> None:
    """larkflock: events of Feishu / Lark group chats, counted by plugins and kept in Bitable."""
    from .settings import environment

    start = Start(environment(), sandbox)
    plugin = ctx.meta.get("plugin")
    if plugin is None:
        ctx.obj = start
    else:
        from .offline import Offline

        ctx.obj = ctx.with_resource(Offline(start.settings(), plugin))


def _enabled(name: str) -> Plugin | None:
    from .loading.plugins import load
    from .settings import environment, load_plugins_file, load_settings

    env = environment()
    file = load_settings(env, needs_credentials=False).plugins_file
    section = load_plugins_file(file).get(name)
    if section is None or not section.enabled:
        return None
    (plugin,) = load({name: section}, env, file)
    return plugin
