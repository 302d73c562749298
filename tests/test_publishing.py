"""What plugins publish: events of their own, carried into the journal and heard exactly once."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from application import plugin, quiet, running, say
from sandbox_client import until

from core import Context, Event, Message, Number, Table, Text
from core.errors import StorageError
from core.loading.plugins import Plugin
from core.storage import open_engine

HEARD = Table("heard", (Text("what"), Number("times")), key=("what",))


async def echo(message: Message, ctx: Context[Any]) -> None:
    ctx.publish("echo.said", message.id, {"message_id": message.id})


async def hear(event: Event, ctx: Context[Any]) -> None:
    ctx.table(HEARD).add(event.event["message_id"], times=1)


def conversation() -> list[Plugin]:
    return [
        plugin("echo", on_message=echo, publishes=("echo.said",)),
        plugin("ear", on_event=hear, events=("echo.said",), tables=(HEARD,)),
    ]


def heard(directory: Path) -> dict[str, int]:
    with open_engine(directory) as engine:
        store = engine.store()
        found = {row["what"]: row["times"] for row in store.scan("ear", HEARD)}
        store.close()
    return found


async def test_what_a_plugin_publishes_reaches_another_exactly_once(tmp_path: Path) -> None:
    said: list[str] = []
    async with quiet() as sandbox:
        for _ in range(3):
            async with running(sandbox, tmp_path, conversation()) as run:
                await run.ready()
                said += [say(sandbox) for _ in range(250)]
                await sandbox.gateway.delivery.emptied()
                application = run.application
                await until(lambda: application.journal.head == 2 * len(said))  # noqa: B023 — awaited here
                await run.handled()
                assert str(await run.stop()) == "Nothing is left to do."
    assert heard(tmp_path) == dict.fromkeys(said, 1)


async def test_a_publication_that_is_no_event_stops_no_other(tmp_path: Path) -> None:
    """A version that did not look at what it was given may have stored it."""
    async with quiet() as sandbox:
        async with running(sandbox, tmp_path, conversation()) as run:
            await run.ready()
        with sqlite3.connect(tmp_path / "store.db") as database:
            add = "INSERT INTO published(plugin, type, event_id, event) VALUES ('echo', 'echo.said', ?, ?)"
            database.execute(add, ("odd", b"[1]"))
            database.execute(add, ("good", b'{"message_id":"om_good"}'))
        database.close()
        async with running(sandbox, tmp_path, conversation()) as run:
            await run.ready()
            await until(lambda: not run.application._store.publications(1))
            await run.handled()
    assert heard(tmp_path) == {"om_good": 1}


async def test_a_publication_relayed_twice_is_heard_once(tmp_path: Path) -> None:
    """The program ends between storing the publication in the journal and noting that it did."""
    async with quiet() as sandbox, running(sandbox, tmp_path, conversation()) as run:
        await run.ready()
        store = run.application._store
        forgotten: list[int] = []
        relayed = store.relayed

        def fail_once(ids: Sequence[int]) -> None:
            if not forgotten and ids:
                forgotten.extend(ids)
                raise StorageError("SQLite: disk I/O error")
            relayed(ids)

        store.relayed = fail_once  # type: ignore[method-assign]
        message = say(sandbox)
        await until(lambda: bool(forgotten) and not store.publications(10))
        await run.handled()
        assert run.application.journal.head == 2
        await run.stop()
        assert heard(tmp_path) == {message: 1}
