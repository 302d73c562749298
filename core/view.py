"""What ``run`` shows while it works: a calm live view on a terminal, plain log lines elsewhere. It only reads."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from loguru import logger
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table as Grid
from rich.text import Text

from .errors import StorageError
from .status import Status
from .table import Number, PersonCell, PersonName

if TYPE_CHECKING:
    from .app import Application
    from .trial import SandboxProcess

FRAME: Final = 0.5
PLAIN_EVERY: Final = 5.0
LEADERS: Final = 8
COLORS: Final = {"healthy": "green", "degraded": "yellow", "unhealthy": "red", "unknown": "cyan"}


class _Rate:
    """Events a second over the last few seconds."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque(maxlen=10)

    def __call__(self, count: int) -> float:
        self._seen.append((time.monotonic(), count))
        (began, before), (now, after) = self._seen[0], self._seen[-1]
        return (after - before) / (now - began) if now > began else 0.0


class PlainView:
    """A line every five seconds, when something happened."""

    def __init__(self, application: Application, sandbox: SandboxProcess | None) -> None:
        self._application = application
        self._sandbox = sandbox

    log = None
    """Log lines go to standard error as they are."""

    async def show(self) -> None:
        """Until cancelled."""
        rate = _Rate()
        last = ""
        over = False
        if self._sandbox is not None:
            logger.info(
                "Playing in the sandbox at {}; open it in a browser to watch and join in",
                self._sandbox.environment["FEISHU_BASE_URL"],
            )
        while True:
            await asyncio.sleep(PLAIN_EVERY)
            status = await asyncio.to_thread(self._application.status)
            lag = max((plugin.lag for plugin in status.plugins), default=0)
            waiting = sum(table.waiting for table in status.tables)
            line = (
                f"{status.state}: {status.journal.received:,} events, lag {lag:,}, "
                f"{self._application.rows_written:,} rows written, {waiting:,} waiting, {status.api.used:,} API calls"
            )
            speed = rate(status.journal.received)
            if self._application.stopping:
                return
            if line != last:
                logger.info("{}{}", line, f" ({speed:,.0f} events/s)" if last else "")
                last = line
            stats = await self._sandbox.stats() if self._sandbox is not None else {}
            if stats and not over and stats["scenario"]["played"] < stats["scenario"]["total"]:
                played, total = stats["scenario"]["played"], stats["scenario"]["total"]
                logger.info("Scenario: {:,} of {:,} acts played ({:.0%})", played, total, played / total)
            if stats and stats["scenario"]["done"] and not over and self._application.idle:
                over = True
                logger.info("The scenario is over and everything is written. Ctrl+C stops.")


class LiveView:
    """A panel that is redrawn in place; log lines scroll above it."""

    def __init__(self, application: Application, sandbox: SandboxProcess | None) -> None:
        self._application = application
        self._sandbox = sandbox
        self._console = Console(file=sys.stdout)
        self._rate = _Rate()

    def log(self, line: str) -> None:
        """One log line."""
        self._console.print(Text.from_ansi(line.rstrip("\n")), soft_wrap=True)

    async def show(self) -> None:
        """Until cancelled."""
        # The console writes to the terminal itself: what plugins print goes to the log, and the log comes here.
        with Live(console=self._console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False) as live:
            while True:
                status = await asyncio.to_thread(self._application.status)
                stats = await self._sandbox.stats() if self._sandbox is not None else {}
                live.update(self._panel(status, stats), refresh=True)
                await asyncio.sleep(FRAME)

    def _panel(self, status: Status, stats: dict[str, Any]) -> Panel:
        parts: list[Any] = [self._facts(status, stats)]
        leaders = self._leaders()
        if leaders is not None:
            parts += [Text(), leaders]
        parts += [Text(f"· {reason}", style=COLORS[status.state]) for reason in status.reasons[:5]]
        up = timedelta(seconds=(status.now - status.started) // 1000)
        title = Text.assemble("larkflock ", (status.state, f"bold {COLORS[status.state]}"), f" · up {up}")
        return Panel(Group(*parts), title=title, subtitle="Ctrl+C stops", width=min(100, self._console.width))

    def _facts(self, status: Status, stats: dict[str, Any]) -> Grid:
        grid = Grid.grid(padding=(0, 2))
        grid.add_column(style="dim", width=10)
        grid.add_column(ratio=1)
        if self._sandbox is not None:
            grid.add_row("sandbox", self._sandbox.environment["FEISHU_BASE_URL"])
        if stats:
            grid.add_row("scenario", self._progress(stats["scenario"]))
        journal = status.journal
        rate = self._rate(journal.received)
        events = f"{journal.received:,} received · {rate:,.0f}/s · {journal.duplicates:,} duplicates dropped"
        grid.add_row("events", events)
        for plugin in status.plugins:
            doing = f"{plugin.handled:,} handled, lag {plugin.lag:,}" if plugin.handled or plugin.lag else ""
            skipped = sum(plugin.skipped.values())
            doing += f", {skipped:,} not for it" if skipped else ""
            trouble = f", {plugin.retrying} retried, {plugin.dead} parked" if plugin.retrying or plugin.dead else ""
            grid.add_row("plugin", f"{plugin.name} {plugin.phase}{f': {doing}' if doing else ''}{trouble}")
        for table in status.tables:
            place = f"{table.waiting:,} waiting for Bitable" if table.table_id else "stored locally"
            grid.add_row("table", f"{table.plugin}.{table.name}: {table.rows:,} rows, {place}")
        written = f"{self._application.rows_written:,} rows written with {status.api.used:,} API calls this month"
        grid.add_row("Bitable", written + (f" of {status.api.quota:,}" if self._sandbox is None else ""))
        return grid

    @staticmethod
    def _progress(scenario: dict[str, Any]) -> Grid:
        row = Grid.grid(padding=(0, 1))
        row.add_row(
            ProgressBar(total=max(1, scenario["total"]), completed=scenario["played"], width=30),
            f"{scenario['played']:,} of {scenario['total']:,} acts" + (" · over" if scenario["done"] else ""),
        )
        return row

    def _leaders(self) -> Grid | None:
        try:
            found = self._application.leaders(LEADERS)
        except StorageError:  # The status tells it; the view goes on.
            return None
        if found is None or not found[2]:
            return None
        _, table, rows, names = found
        grid = Grid(box=None, padding=(0, 2, 0, 0), header_style="dim")
        shown = [column for column in table.columns if column.title and not isinstance(column, PersonCell)]
        ranked = [column for column in shown if column.name in table.ranked_by]
        person = next((column for column in shown if isinstance(column, PersonName)), None)
        grid.add_column("#", justify="right")
        for column in [*([person] if person else []), *ranked]:
            grid.add_column(column.title, justify="right" if isinstance(column, Number) else "left")
        for place, row in enumerate(rows, 1):
            who = [Text(names.get(row[person.of]) or row[person.of])] if person else []
            values = [
                Text(f"{row[column.name]:,.{column.places}f}" if isinstance(column, Number) else str(row[column.name]))
                for column in ranked
            ]
            grid.add_row(str(place), *who, *values)
        return grid
