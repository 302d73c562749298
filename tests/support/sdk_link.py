"""The official SDK's own client of the long connection, beside a sandbox."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator

import lark_oapi as lark
import lark_oapi.ws.client as lark_ws
from sandbox_client import SECONDS, Client

lark_ws.loop.close()  # Made when the SDK is imported, used by none of these tests, and closed by nobody else.


@contextlib.asynccontextmanager
async def long_connection(client: Client, handler: lark.EventDispatcherHandler) -> AsyncIterator[None]:
    """The client on a loop and a thread of its own, as FEISHU.md §13.1 (3) describes."""
    loop = asyncio.new_event_loop()
    app = client.sandbox.world.app
    link = lark_ws.Client(app.app_id, app.secret, event_handler=handler, domain=client.sandbox.url)

    def run() -> None:
        asyncio.set_event_loop(loop)
        lark_ws.loop = loop
        with contextlib.suppress(asyncio.CancelledError):
            link.start()
        loop.run_until_complete(asyncio.gather(*asyncio.all_tasks(loop), return_exceptions=True))
        loop.close()

    async def stop() -> None:
        link._auto_reconnect = False
        await link._disconnect()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        await asyncio.wait_for(client.sandbox.gateway.connected(), SECONDS)
        yield
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop)
        await asyncio.to_thread(thread.join, SECONDS)
