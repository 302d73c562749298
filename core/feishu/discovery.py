"""Where to connect: the endpoint discovery of the long connection (FEISHU.md §1.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import aiohttp
import orjson

from ..errors import ApiFailure, TooLarge
from .streams import whole

PLATFORM_HOSTS: Final = ("feishu.cn", "larksuite.com", "larkoffice.com", "feishu.net")
MOST_ANSWER: Final = 1 << 20
"""Bytes; the usual answer has a few hundred."""
LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")

_REASONS: Final = {
    1: ("the platform is busy", False),
    403: ("the app may not use the long connection: choose it in the developer console, under events", True),
    514: ("the platform refuses the credentials: check APP_ID and APP_SECRET", True),
    1000040343: ("the platform has an internal error", False),
    1000040350: ("all 50 connections of this app are in use: stop another program that uses the same app", True),
    1000040351: ("wrong platform: set FEISHU_BASE_URL to https://open.feishu.cn or https://open.larksuite.com", True),
}


class Refused(ApiFailure):
    """The platform does not let us connect; ``needs_person`` when waiting alone will hardly help."""

    def __init__(self, reason: str, *, needs_person: bool) -> None:
        super().__init__(reason)
        self.needs_person = needs_person


@dataclass(slots=True)
class ClientConfig:
    """What the platform asks of the client, in seconds; unknown or wrong values keep the default."""

    ping_interval: float = 120.0

    def update(self, given: Any) -> None:
        """Take over what ``given`` says."""
        interval = given.get("PingInterval") if isinstance(given, dict) else None
        if isinstance(interval, int | float) and not isinstance(interval, bool) and 0 < interval <= 3600:
            self.ping_interval = float(interval)


@dataclass(frozen=True, slots=True)
class WebSocketAddress:
    """A URL for one session, and the service number that pings carry."""

    url: str
    service: int


def refusal(code: int, message: str) -> Refused:
    """The error for a code of the discovery or the handshake."""
    reason, needs_person = _REASONS.get(code, (f"code {code}", False))
    return Refused(f"{reason} ({code}{f' {message}' if message else ''})", needs_person=needs_person)


async def discover(
    session: aiohttp.ClientSession, base_url: str, app_id: str, app_secret: str, config: ClientConfig
) -> WebSocketAddress:
    """Ask for an address. Raises ``Refused``; ``aiohttp.ClientError`` when there is no answer; sets no time limit."""
    async with session.post(
        f"{base_url}/callback/ws/endpoint",
        json={"AppID": app_id, "AppSecret": app_secret},
        headers={"locale": "zh"},
        allow_redirects=False,
    ) as response:
        try:
            body = await whole(response, MOST_ANSWER, of="endpoint discovery")
        except TooLarge as error:
            raise Refused(str(error), needs_person=False) from error
        if response.status != 200:
            raise Refused(f"endpoint discovery answers HTTP {response.status}", needs_person=False)
    try:
        answer = orjson.loads(body)
        code = answer["code"]
        if code != 0:
            raise refusal(code, str(answer.get("msg", "")))
        data = answer["data"]
        url = data["URL"]
        service = int(parse_qs(urlsplit(url).query)["service_id"][0])
        if not 0 <= service < 2**31:
            raise ValueError("service_id is no int32")
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise Refused("endpoint discovery answers something else than an address", needs_person=False) from error
    config.update(data.get("ClientConfig"))
    _check_address(url, base_url)
    return WebSocketAddress(url, service)


def _check_address(url: str, base_url: str) -> None:
    """Only ``wss`` to the platform's own hosts; plain ``ws`` where the base URL itself is plain and local."""
    address, base = urlsplit(url), urlsplit(base_url)
    host = address.hostname or ""
    if base.scheme == "http" and base.hostname in LOOPBACK and address.scheme in ("ws", "wss") and host in LOOPBACK:
        return
    known = host == base.hostname or any(host == name or host.endswith(f".{name}") for name in PLATFORM_HOSTS)
    if address.scheme != "wss" or not known:
        raise Refused(f"endpoint discovery names a foreign address ({address.scheme}://{host})", needs_person=True)
