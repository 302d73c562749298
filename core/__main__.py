"""``python -m core``: commands that end in a moment, and one that runs for months."""

from __future__ import annotations

import gc
import os

# Pydantic looks through every installed distribution for plugins of its own; none is meant for this program.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
gc.set_threshold(20_000)  # Imports make 200,000 objects and no garbage; looking for it every 700 costs a tenth.

from .cli import main as command_line  # noqa: E402
from .ending import ending_cleanly  # noqa: E402


def main() -> None:
    """Run the command line as the process."""
    with ending_cleanly():
        try:
            command_line()
        finally:
            gc.freeze()  # All is written; looking through every object once more as the process ends costs a seventh.


if __name__ == "__main__":
    main()
