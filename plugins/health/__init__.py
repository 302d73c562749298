"""Says over HTTP whether events are received and stored; ``README.md`` says how to ask."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Self

from pydantic import model_validator

from core import Config, Context, Manifest, env, hookimpl

if TYPE_CHECKING:
    from .server import Server


class Listening(Config):
    """Where it listens, ``[plugins.health.config]`` in ``plugins.toml`` or the environment."""

    host: str = env("HEALTH_CHECK_HOST", "127.0.0.1")
    port: int = env("HEALTH_CHECK_PORT", 8080, ge=0, le=65535)
    """0 = any free port; the log says which."""
    allow_remote: bool = False
    """Whether other machines may ask."""
    hosts: tuple[str, ...] = ()
    """Names besides this machine's own under which it is asked: those of a proxy that passes them on."""

    @model_validator(mode="after")
    def _only_here(self) -> Self:
        if not self.allow_remote and not _is_loopback(self.host):
            raise ValueError(
                f"host {self.host!r} can be reached from other machines and the answers need no password; "
                "use 127.0.0.1, or set allow_remote = true in [plugins.health.config] of plugins.toml"
            )
        return self


manifest = Manifest(
    name="health",
    summary="Says over HTTP whether events are received and stored.",
    config=Listening,
)

_servers: dict[Context[Listening], Server] = {}
"""What is listening now; there is nothing else to keep between start-up and shutdown."""


@hookimpl
async def startup(ctx: Context[Listening]) -> None:
    """Listen, in the plugin's own loop. Raises ``NotReady`` where that is not possible now."""
    if ctx in _servers:  # It listens, only noting that failed.
        return
    from .server import Server  # aiohttp takes a while to import, and commands only read the manifest

    server = Server(ctx.status, None if ctx.config.allow_remote else ctx.config.hosts)
    await server.start(ctx.config.host, ctx.config.port)
    _servers[ctx] = server
    ctx.log.info("Health is told at {url}", url=server.url)


@hookimpl
async def shutdown(ctx: Context[Listening]) -> None:
    """Stop listening."""
    server = _servers.pop(ctx, None)
    if server is not None:
        await server.stop()


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
