"""The HTTP side: a probe, the whole status, and a page that shows it. It only reads."""

from __future__ import annotations

import errno
import ipaddress
from collections.abc import Awaitable, Callable, Sequence
from importlib.resources import files
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from aiohttp import web

from core import NotReady

PATHS: Final = "/health and /status"
ALIVE: Final = frozenset({"healthy", "degraded"})
"""The states in which nothing is lost; a probe gets 200 for them and 503 otherwise."""

_POLICY: Final = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class Server:
    """Answers with what ``status`` returns, a ``core.status.Status``; it is called for each request.

    Who asks under a name that is neither this machine's own nor one of ``hosts`` gets 421, so that a web page whose
    name was made to point here reads nothing; None = under any name.
    """

    def __init__(self, status: Callable[[], Any], hosts: Sequence[str] | None = ()) -> None:
        self._status = status
        self._hosts = None if hosts is None else {host.lower() for host in hosts}
        self._page = files(__package__).joinpath("page.html").read_bytes()
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self, host: str, port: int) -> None:
        """Listen; ``url`` says where. Raises ``NotReady``."""
        app = web.Application(middlewares=[_say_it_in_json, self._by_name])
        app.add_routes([web.get("/health", self._health), web.get("/status", self._all), web.get("/", self._shown)])
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            await runner.cleanup()
            raise NotReady(_reason(error, host, port)) from error
        self._runner = runner
        address = runner.addresses[0]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{address[1]}"

    async def stop(self) -> None:
        """Answer what was asked, at most 1 s, and close."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @web.middleware
    async def _by_name(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        name = _name(request.headers.get("Host", ""))
        if self._hosts is None or name in self._hosts or _is_own(name):
            return await handler(request)
        return _json({"error": f"{name} is no name of this program; add it to hosts in [plugins.health.config]"}, 421)

    async def _health(self, request: web.Request) -> web.Response:
        status = self._status()
        answer = {"status": status.state, "reasons": status.reasons}
        return _json(answer, 200 if status.state in ALIVE else 503)

    async def _all(self, request: web.Request) -> web.Response:
        return _json(self._status())

    async def _shown(self, request: web.Request) -> web.Response:
        headers = {"Content-Security-Policy": _POLICY}
        return web.Response(body=self._page, content_type="text/html", charset="utf-8", headers=headers)


@web.middleware
async def _say_it_in_json(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Errors as JSON; no answer is kept by anybody."""
    response: web.StreamResponse
    try:
        response = await handler(request)
    except web.HTTPMethodNotAllowed as error:
        response = _json({"error": f"{request.method} is not possible, only GET and HEAD"}, 405)
        response.headers["Allow"] = ", ".join(sorted(error.allowed_methods))
    except web.HTTPException as error:
        response = _json({"error": f"there is nothing at {request.path}; ask {PATHS}"}, error.status)
    except Exception as error:  # A state that cannot be read is an answer too.
        response = _json({"status": "unknown", "reasons": [f"the state cannot be read: {error}"]}, 503)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _name(host: str) -> str:
    """The name in a ``Host`` header, without the port; empty for none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return host


def _is_own(name: str) -> bool:
    """Whether a name can be nobody else's: an address, ``localhost``, or none at all, as of old clients."""
    if name in ("", "localhost"):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _json(answer: Any, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(answer) + b"\n", status=status, content_type="application/json")


def _reason(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is in use; set HEALTH_CHECK_PORT or stop the other program"
    if error.errno == errno.EACCES:
        return f"port {port} on {host} needs more rights; set HEALTH_CHECK_PORT to 1024 or more"
    return f"cannot listen on {host}, port {port}: {error.strerror}; set HEALTH_CHECK_HOST"
