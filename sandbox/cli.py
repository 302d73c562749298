"""``python -m sandbox``: the offline platform as a program of its own."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import click
import orjson

from .config import ClientConfig, SandboxConfig
from .faults.fault import FaultError
from .faults.listing import listing
from .faults.presets import load
from .scenario.act import ScenarioError
from .server import Sandbox

EPILOGUE = """\b
Examples:
  python -m sandbox                          a lively group, as fast as your client acknowledges
  python -m sandbox --speed 60               an hour of the group's life in a minute
  python -m sandbox --scenario quiet         a group in which you make the events (POST /sandbox/acts)
  python -m sandbox --scenario chat.jsonl.gz your own messages
  python -m sandbox --faults storm           duplicates, disorder, dropped connections, calls that fail

\b
Look inside while it runs:
  GET  /                                     a page to chat on, for a browser
  GET  /sandbox/stats                        connections, pushes, acknowledgements, API calls
  GET  /sandbox/tables/APP_TOKEN/TABLE_ID    every record of a table
  POST /sandbox/acts                         {"kind": "say", …}: something happens now
  POST /sandbox/play, /sandbox/disconnect; PATCH /sandbox/scopes
  POST /sandbox/faults                       {"set": "storm"}, {"add": [{"kind": …}]}, {"clear": true}; GET: the counts
  GET  /sandbox/acknowledged                 every event the client acknowledged
"""


def _list_faults(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(listing())
        context.exit()


@click.command(epilog=EPILOGUE, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option(
    "--port",
    metavar="N",
    type=click.IntRange(0, 65535),
    default=0,
    show_default="any free port",
    help="Port on 127.0.0.1.",
)
@click.option(
    "--seed", metavar="N", type=int, default=1, show_default=True, help="The same seed gives the same ids and scenario."
)
@click.option(
    "--scenario",
    default="bundled",
    show_default=True,
    metavar="bundled|quiet|FILE",
    help="What happens: the bundled group, nothing by itself, or the messages of a .jsonl(.gz) file.",
)
@click.option(
    "--speed",
    metavar="TIMES",
    type=click.FloatRange(0),
    default=0.0,
    show_default=True,
    help="Relative to real time; 0 is as fast as events are acknowledged.",
)
@click.option(
    "--start",
    type=click.Choice(["connected", "told"]),
    default="connected",
    show_default=True,
    help="Play when the first client connects, or when POST /sandbox/play says so.",
)
@click.option("--app-id", default="", metavar="cli_…", help="Instead of the one made from the seed.")
@click.option("--app-secret", metavar="SECRET", default="", help="Instead of the one made from the seed.")
@click.option(
    "--window",
    metavar="N",
    type=click.IntRange(1),
    default=512,
    show_default=True,
    help="Pushes without acknowledgement.",
)
@click.option(
    "--retry-factor",
    metavar="FACTOR",
    type=click.FloatRange(0),
    default=1.0,
    show_default=True,
    help="Multiplies the re-push schedule (15 s, 5 min, 1 h, 6 h).",
)
@click.option(
    "--duplicate-rate",
    metavar="SHARE",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.0,
    show_default=True,
    help="Share of acknowledged events pushed once more.",
)
@click.option(
    "--token-lifetime",
    metavar="SECONDS",
    type=click.FloatRange(0, min_open=True),
    default=7200.0,
    show_default=True,
    help="Until a token expires.",
)
@click.option(
    "--ping-interval",
    metavar="SECONDS",
    type=click.IntRange(1),
    default=120,
    show_default=True,
    help="What clients are told.",
)
@click.option(
    "--reconnect-interval",
    metavar="SECONDS",
    type=click.IntRange(0),
    default=120,
    show_default=True,
    help="What clients are told.",
)
@click.option(
    "--reconnect-nonce",
    metavar="SECONDS",
    type=click.IntRange(0),
    default=30,
    show_default=True,
    help="What clients are told.",
)
@click.option(
    "--rate-limits/--no-rate-limits", default=True, show_default=True, help="HTTP 429 and 230020, as documented."
)
@click.option("--monthly-quota", metavar="N", type=click.IntRange(0), help="API calls until 99991403.  [default: none]")
@click.option(
    "--faults",
    metavar="PRESET|FILE",
    multiple=True,
    help="What goes wrong: storm, late, frames, lines, discovery, api, bitable, people, or a TOML file. Repeatable.",
)
@click.option(
    "--list-faults",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list_faults,
    help="Print everything that can go wrong and how a file of faults looks, and exit.",
)
@click.option(
    "--acknowledged",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Append every event the client acknowledged, a line of JSON each; it survives the sandbox.",
)
@click.option("--ready-file", type=click.Path(path_type=Path), help="Written as JSON when ready, removed at the end.")
@click.option("--json", "as_json", is_flag=True, help="Print the settings as one line of JSON and nothing else.")
@click.option("--stdin-eof", is_flag=True, help="Stop when standard input closes.")
@click.option("-v", "--verbose", is_flag=True, help="Log connections to standard error.")
def main(
    *,
    port: int,
    seed: int,
    scenario: str,
    speed: float,
    start: str,
    app_id: str,
    app_secret: str,
    window: int,
    retry_factor: float,
    duplicate_rate: float,
    token_lifetime: float,
    ping_interval: int,
    reconnect_interval: int,
    reconnect_nonce: int,
    rate_limits: bool,
    monthly_quota: int | None,
    faults: tuple[str, ...],
    acknowledged: Path | None,
    ready_file: Path | None,
    as_json: bool,
    stdin_eof: bool,
    verbose: bool,
) -> None:
    """An offline Feishu for development and tests.

    It speaks the open platform's HTTP API and long connection on 127.0.0.1, so that any Feishu client, the official
    SDKs included, can log in, receive a group's events and write tables, without an account. It prints the settings to
    put into your client's .env and runs until Ctrl+C.
    """
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, stream=sys.stderr, format="%(message)s")
    try:
        config = SandboxConfig(
            port=port,
            seed=seed,
            scenario=scenario,
            speed=speed,
            start="told" if start == "told" else "connected",
            app_id=app_id,
            app_secret=app_secret,
            window=window,
            retry_factor=retry_factor,
            duplicate_rate=duplicate_rate,
            token_lifetime=token_lifetime,
            client=ClientConfig(
                ping_interval=ping_interval,
                reconnect_interval=reconnect_interval,
                reconnect_nonce=reconnect_nonce,
            ),
            rate_limits=rate_limits,
            monthly_quota=monthly_quota,
            faults=tuple(fault for name in faults for fault in load(name)),
            acknowledged=acknowledged,
        )
        asyncio.run(_serve(config, ready_file=ready_file, as_json=as_json, stdin_eof=stdin_eof))
    except (ValueError, ScenarioError, FaultError) as problem:
        raise click.UsageError(str(problem)) from problem
    except OSError as problem:
        doing = f"write {problem.filename}" if problem.filename else f"listen on 127.0.0.1:{port}"
        raise click.ClickException(f"cannot {doing}: {problem.strerror}") from problem


async def _serve(config: SandboxConfig, *, ready_file: Path | None, as_json: bool, stdin_eof: bool) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    if stdin_eof:
        threading.Thread(target=_wait_for_eof, args=(loop, stop), daemon=True).start()
    async with Sandbox(config) as sandbox:
        # Hundreds of thousands of messages are kept for good: looking through them for garbage again and again would
        # stop the world for up to 0.3 s, which clients see as late pushes.
        gc.freeze()
        gc.set_threshold(50_000, 20, 1000)
        environment = sandbox.environment()
        line = orjson.dumps(environment).decode()
        if as_json:
            print(line, flush=True)
        else:
            _introduce(sandbox, environment)
        with _announced(ready_file, line):
            await stop.wait()


@contextlib.contextmanager
def _announced(ready_file: Path | None, line: str) -> Iterator[None]:
    if ready_file is None:
        yield
        return
    partial = ready_file.with_name(f"{ready_file.name}.part")
    partial.write_text(line)
    partial.replace(ready_file)
    try:
        yield
    finally:
        ready_file.unlink(missing_ok=True)


def _introduce(sandbox: Sandbox, environment: dict[str, str]) -> None:
    scenario = sandbox.player.document()
    click.secho(f"The sandbox is ready at {sandbox.url}", bold=True)
    click.echo(f"Scenario {scenario['name']}: {scenario['total']:,} acts. What happens: {sandbox.url}/sandbox/stats")
    click.echo(f"Chat with it in a browser: {sandbox.url}/")
    click.echo("Put this into the .env of your client; Ctrl+C stops.\n")
    for name, value in environment.items():
        click.echo(f"{name}={value}")


def _wait_for_eof(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    # The descriptor, not sys.stdin: a thread blocked in the buffered reader would hold its lock at exit.
    with contextlib.suppress(OSError):
        while os.read(0, 4096):
            pass
    with contextlib.suppress(RuntimeError):  # The loop may have ended by itself.
        loop.call_soon_threadsafe(stop.set)
