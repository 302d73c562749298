"""Runs the offline platform: ``python -m sandbox --help``."""

from __future__ import annotations

from .cli import main

if __name__ == "__main__":
    main(prog_name="python -m sandbox")
