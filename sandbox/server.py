"""The offline platform as one object: it builds the parts, connects them, starts and stops them.

sandbox = await Sandbox(SandboxConfig(scenario="quiet")).start()
… any Feishu client, with ``sandbox.url`` as its domain …
await sandbox.stop()
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from . import quiet
from .acknowledged import Acknowledged
from .api import bitable, media, sharing
from .api.application import Application
from .api.cardkit import CardKit
from .api.chats import Chats
from .api.contact import Contact
from .api.history import Documents, History
from .api.interactive import Interactive
from .api.messages import Messages
from .api.pins import Pins
from .api.reactions import Reactions
from .api.resources import Resources
from .auth import Tokens
from .bitable.bases import Bases
from .bitable.kinds import Terms
from .bitable.media import Media
from .bitable.templates import create_reference_tables
from .calls import Calls
from .clock import WorldClock
from .config import SandboxConfig
from .control import Control
from .endpoint import Endpoint
from .entities import Entities
from .faults.answers import Answers
from .faults.control import FaultControl
from .faults.fault import Fault
from .faults.faults import Faults
from .faults.recurring import Recurring
from .gateway import Gateway
from .ids import Ids
from .limits import Limits
from .pages import Pages
from .people import App
from .player import Player
from .presses import Presses
from .routes import Routes
from .scenario import catalogue
from .scenario.act import Scenario
from .uploads import Uploads
from .world import World

BODY_LIMIT = 64 << 20


class Sandbox:
    """An offline Feishu with one app, listening on loopback between ``start`` and ``stop``.

    ``scenario`` takes the place of the one that ``config`` names.
    """

    def __init__(self, config: SandboxConfig | None = None, *, scenario: Scenario | None = None) -> None:
        self.config = config or SandboxConfig()
        self._scenario = scenario
        # A generator for each: what clients ask for must not change the ids of what happens in the groups.
        ids, asked = Ids(self.config.seed), Ids(f"asked {self.config.seed}")
        app = App.make(self.config, ids)
        self._asked = asked
        self.clock = WorldClock()
        self.calls = Calls(self.clock)
        self.tokens = Tokens(app, asked, self.config.token_lifetime, time.monotonic)
        self.limits = Limits(time.monotonic, enabled=self.config.rate_limits, monthly_quota=self.config.monthly_quota)
        self.faults = Faults(self.config.faults, seed=self.config.seed)
        self.acknowledged = Acknowledged(self.config.acknowledged)
        self.gateway = Gateway(
            app, self.config, asked, faults=self.faults, clock=self.clock, acknowledged=self.acknowledged.add
        )
        self._recurring = Recurring(self.faults, {"line": self.gateway.lines.strike, "clock": self._jump})
        self.world = World(app, ids, self.clock, self.gateway.delivery.push)
        self.presses = Presses(self.world, self.gateway)
        self.url = ""
        """``http://host:port``, known once it has started."""

    async def start(self) -> Self:
        """Loads the scenario and listens. Raises ``ScenarioError``, or ``OSError`` when the port is taken."""
        config, scenario = self.config, self._scenario
        if scenario is None:
            scenario = await asyncio.to_thread(_load, config.scenario, config.seed)
        self._temporary = tempfile.TemporaryDirectory(prefix="larkflock-sandbox-")
        self._directory = config.directory or Path(self._temporary.name)
        self.player = Player(scenario, self.world, self.clock, self.gateway.delivery, config.speed)
        self.player.set_the_stage()
        self._chat_id = next(iter(self.world.chats), "")
        self.media = Media(seed=config.seed, directory=_made(self._directory / "media"))
        self.bases = Bases(
            self.media,
            seed=config.seed,
            records_per_table=config.records_per_table,
            clock=lambda: self.world.now() / 1000,
            editor=self.world.app.open_id,
        )
        self.tables = create_reference_tables(self.bases)
        application = web.Application(client_max_size=BODY_LIMIT)
        router = application.router
        router.add_post("/callback/ws/endpoint", self.gateway.discover)
        router.add_get("/ws/v2", self.gateway.connect)
        self._uploads = Uploads(_made(self._directory / "uploads"), self._asked)
        self._of_people = Uploads(_made(self._directory / "people"), Ids(f"people {config.seed}"))
        Control(self, self._records).add(router)
        self._pages = Pages(self, self._of_people, self._uploads)
        self._pages.add(router)
        FaultControl(self.faults, self.acknowledged, self.bases, self.clock).add(router)
        answers = Answers(self.faults, self.bases, self.tokens.revoke)
        Routes(self.world.app, self.tokens, self.limits, self.calls, answers).add(router, self._endpoints())
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, config.host, config.port)
        try:
            await site.start()
        except OSError:
            await self._runner.cleanup()
            self.acknowledged.close()
            self._temporary.cleanup()
            raise
        host, port = self._runner.addresses[0][:2]
        authority = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self.url = f"http://{authority}"
        self.gateway.base = f"ws://{authority}"
        self._recurring.start()
        self._told = asyncio.Event()
        self._playing = asyncio.create_task(self._perform())
        return self

    async def stop(self) -> None:
        """Closes every connection and the port, and removes what was uploaded to a temporary directory."""
        self._recurring.stop()
        self._pages.stream.close()
        self.faults.clear()  # What hangs would keep the port for a while.
        self._playing.cancel()
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await self._playing
        finally:  # A scenario that failed ends the sandbox no less.
            await self.gateway.close()
            await self._runner.cleanup()
            self.acknowledged.close()
            self._temporary.cleanup()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.stop()

    def play(self) -> None:
        """Starts the scenario now; fine when it has started."""
        self._told.set()

    async def played(self) -> None:
        """Returns when the scenario is over and every event was acknowledged or given up."""
        await self._playing
        await self.gateway.delivery.emptied()

    def environment(self) -> dict[str, str]:
        """What an app needs to work with this sandbox, by the names of its settings."""
        app, tables = self.world.app, self.tables
        return {
            "FEISHU_BASE_URL": self.url,
            "APP_ID": app.app_id,
            "APP_SECRET": app.secret,
            "CHAT_ID": self._chat_id,
            "BITABLE_APP_TOKEN": tables.app_token,
            "BITABLE_TABLE_ID": tables.activity,
            "ARCHIVE_TABLE_ID": tables.archive,
            "SUMMARY_TABLE_ID": tables.summary,
            "PIN_TABLE_ID": tables.pin,
        }

    def document(self) -> dict[str, Any]:
        """Everything that is counted, for the control page."""
        return {
            **self.gateway.document(),
            "scenario": self.player.document(),
            "calls": self.calls.document(),
            "faults": self.faults.document()["injected"],
            "acknowledged": len(self.acknowledged),
            "messages": len(self.world.messages),
        }

    async def _perform(self) -> None:
        if self.config.start == "connected":
            starters = [asyncio.create_task(self._told.wait()), asyncio.create_task(self.gateway.connected())]
            try:
                await asyncio.wait(starters, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for starter in starters:
                    starter.cancel()
        else:
            await self._told.wait()
        await self.player.play()

    def _jump(self, fault: Fault) -> None:
        if self.faults.recur(fault, "clock"):
            with contextlib.suppress(ValueError):  # Out of the calendar: it stays where it is.
                self.clock.jump(self.faults.draw(fault) * 1000)

    def _records(self, app_token: str, table_id: str) -> dict[str, Any]:
        table = self.bases.find(app_token).table(table_id)
        terms = Terms(self.world.people.get, origin=self.url)
        items = [
            {"record_id": record.record_id, "fields": table.read(record, terms)} for record in table.records.values()
        ]
        return {"total": len(items), "items": items}

    def _endpoints(self) -> list[Endpoint]:
        config, world = self.config, self.world
        uploads = self._uploads
        documents = Documents(world)
        entities, again = Entities(world, self._asked), config.repeated_uuid == "refuse"
        return [
            *Messages(world, documents, uploads, self.limits, entities, refuse_repeated=again).endpoints(),
            *CardKit(entities, documents, self.limits, world.app.app_id).endpoints(),
            *Interactive(self.presses).endpoints(),
            *History(world, documents).endpoints(),
            *Resources(world, uploads, self._of_people).endpoints(),
            *Reactions(world).endpoints(),
            *Pins(world, self.limits).endpoints(),
            *Chats(world).endpoints(),
            *Contact(world).endpoints(),
            *Application(world.app, lambda: self.gateway.connections).endpoints(),
            *bitable.endpoints(self.bases, world.people.get),
            *media.endpoints(self.media, self.bases),
            *sharing.endpoints(self.bases),
        ]


def _load(name: str, seed: int) -> Scenario:
    if name == quiet.NAME:
        return quiet.load(seed=seed)
    return catalogue.load(name, seed=seed)


def _made(directory: Path) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    return directory
