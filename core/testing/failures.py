"""What a test fails with when a plugin does what it must not do; each message says what to do about it."""

from __future__ import annotations


class HarnessFailure(AssertionError):
    """A plugin did what would hurt it, or others, in the running program; or the test asked for what cannot be."""


class Blocked(HarnessFailure):
    """A hook kept its event loop from doing anything else."""


class TaskLeft(HarnessFailure):
    """A hook returned and left a task behind."""


class Swallowed(HarnessFailure):
    """A hook used something undeclared, and caught the ``Undeclared`` that said so."""


class NetworkReached(HarnessFailure):
    """Something tried to reach a host that is not this machine."""


class Unanswered(HarnessFailure):
    """A hook called an API for which the test handed in no answer."""


class NeverIdle(HarnessFailure):
    """A plugin did not come to rest in time."""


class NotRaised(HarnessFailure):
    """A test expected a hook to raise, and it did not."""


class NotRepeatable(HarnessFailure):
    """Handling the same events once more, as after a crash, led to other rows."""
