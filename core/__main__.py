"""``python -m core``: commands that end in a moment, and one that runs for months."""

from __future__ import annotations

import gc
import os

# Pydantic looks through every installed distribution for plugins of its own; none is meant for this program.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
gc.set_threshold(20_000)  # Imports make 200,000 objects and no garbage; looking for it every 700 costs a tenth.

from .cli import main  # noqa: E402

if __name__ == "__main__":
    try:
        main()
    finally:
        gc.freeze()  # All is written; looking through every object once more as the interpreter ends costs a seventh.
