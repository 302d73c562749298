"""What the journal holds, by the keys that the platform's documentation gives; it does not ask the program's own."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

from sandbox.acknowledged import Acknowledged


def natural_keys(data: Path) -> Counter[str]:
    """How often each event is in the journal below ``data``, by type and natural key as ``/sandbox/acknowledged``."""
    listed = Acknowledged()
    with closing(sqlite3.connect(f"file:{data / 'journal.db'}?mode=ro", uri=True)) as journal:
        for (body,) in journal.execute("SELECT body FROM event ORDER BY seq"):
            listed.add(body)
    return Counter({one.key: one.times for one in listed.after(0, len(listed))})
