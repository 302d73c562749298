"""What went wrong between us and the platform, in words that may be logged."""

from __future__ import annotations

import aiohttp


def reason_of(error: Exception) -> str:
    """The error without the address: it may carry the key of a session, or name the base."""
    if isinstance(error, aiohttp.ClientResponseError):
        return f"HTTP {error.status}"
    if isinstance(error, aiohttp.InvalidURL):
        return "the address cannot be used"
    if isinstance(error, aiohttp.ConnectionTimeoutError | aiohttp.SocketTimeoutError):
        return "it took too long"
    return str(error) or type(error).__name__
