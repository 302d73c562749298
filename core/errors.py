"""Everything that can go wrong, as one tree; it never decides what is done about it.

LarkflockError
├── ConfigurationError     settings are wrong, or no plugin is fit: nothing starts, all is listed (exit 2)
├── InstanceLocked         another process owns the data directory (exit 3)
├── Malformed              bytes from the network that are no event we can read: journaled and parked
├── Undeclared             a plugin used what its manifest does not name
├── PluginError            raised by a plugin about itself
│   ├── NotReady           cannot start yet (a port in use, a server away): tried again
│   └── Retry              this event cannot be handled yet: tried again after a while
├── StorageError           the disk or the database refused
│   ├── TableChanged       a plugin's new version declares a table that the stored one cannot become
│   ├── Damaged            a database file is hurt: only a backup helps (`core restore`)
│   └── Fenced             a consumer's cursor was moved by somebody else: the batch is not committed
│       └── Replaced       its tables are others: a replay, or rows taken over
└── ApiFailure             a call to the platform did not succeed
    ├── ApiError           the platform answered with ``code`` ≠ 0
    ├── Unreachable        no usable answer within the retries
    ├── QuotaExhausted     the month's API calls are used up: not sent
    └── TooLarge           a download is above the limit: given up
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class LarkflockError(Exception):
    """The root of every error this project raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing an operator has to put right: where it is, what is wrong, what to do."""

    where: str
    what: str
    fix: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}\n    → {self.fix}"


class ConfigurationError(LarkflockError):
    """Settings, ``plugins.toml`` or a plugin are wrong; ``problems`` lists all of them at once."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class InstanceLocked(LarkflockError):
    """Another process holds the lock of this data directory."""


class Malformed(LarkflockError):
    """Bytes that are no event this version can read; the message is the counted reason."""


class Undeclared(LarkflockError):
    """A plugin used a table, a column or a scope that its manifest does not declare."""


class PluginError(LarkflockError):
    """What a plugin raises to say something about itself."""


class NotReady(PluginError):
    """The plugin cannot start yet; start-up is tried again with backoff, the other plugins run."""


class Retry(PluginError):
    """The event cannot be handled now; it is tried again after ``after`` seconds (0…86400), otherwise with backoff."""

    def __init__(self, reason: str = "the plugin asked for a retry", *, after: float | None = None) -> None:
        if after is not None and not 0 <= after <= 86_400:
            raise ValueError(f"Retry(after={after}): seconds from 0 to 86400")
        super().__init__(reason)
        self.after = after


class StorageError(LarkflockError):
    """The disk or the database refused; nothing of the operation is stored."""


class TableChanged(StorageError):
    """A table is stored in a shape that cannot become what is declared now; it stays as it is, with all its rows."""


class Damaged(StorageError):
    """A database file is hurt; nothing is read from or written to the part that is."""


class Fenced(StorageError):
    """The cursor is no longer where this consumer left it: another writer is at work, the batch is dropped."""


class Replaced(Fenced):
    """The plugin's tables were replaced by a replay, or rows of Bitable were taken over into them.

    What was read of them is out of date, and the batch is done again.
    """


class ApiFailure(LarkflockError):
    """A call to the platform did not succeed."""


class ApiError(ApiFailure):
    """The platform answered with ``code`` ≠ 0 (FEISHU.md §3.3, §4, §5.7)."""

    def __init__(
        self,
        name: str,
        code: int,
        msg: str,
        *,
        status: int = 200,
        log_id: str = "",
        detail: str = "",
        passing: bool = False,
        of_app: bool = False,
        scopes: Sequence[str] = (),
        link: str = "",
    ) -> None:
        self.lasting = f"{name}: {code} {msg}{f' ({detail})' if detail else ''}"
        """The message without what differs each time: the log ID."""
        super().__init__(f"{self.lasting}{f' [log id {log_id}]' if log_id else ''}")
        self.name = name
        self.code = code
        self.msg = msg
        self.status = status
        self.log_id = log_id
        self.detail = detail
        self.passing = passing
        """It says nothing about the request: a rate limit, a fault of the platform, a token or the app refused."""
        self.of_app = of_app
        """The app is refused, whatever it asks for, until a person changes something."""
        self.scopes = tuple(scopes)
        """For want of one of these it was refused."""
        self.link = link
        """Where they are granted."""
        self.repeated = False
        """It answers a repetition; an attempt before it may have had its effect."""


class Unreachable(ApiFailure):
    """No usable answer arrived within the retries: network, time-out or HTTP 5xx. The call may have had its effect."""


class QuotaExhausted(ApiFailure):
    """The month's API calls are used up (``API_MONTHLY_QUOTA``), or the platform said so (99991403)."""


class TooLarge(ApiFailure):
    """A download is larger than its limit; what arrived of it is of no use."""
