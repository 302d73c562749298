"""What can go wrong, for people to read on the command line."""

from __future__ import annotations

from .kinds import KINDS
from .presets import PRESETS

PLACES = {
    "push": "Events on their way",
    "frame": "Frames of a push",
    "line": "Connections, when they open or `every` so many seconds",
    "handshake": "Handshakes",
    "discovery": "Endpoint discovery",
    "call": "Calls of the open API",
    "clock": "Time",
}

EXAMPLE = """A file of faults:

  preset = "late"             # optional
  [[fault]]
  kind = "refused"
  codes = [1254290, 1254291]  # or "transient", "lag", "conflict", "settled", "lasting", "writer"
  on = "bitable.v1.appTableRecord.*"
  rate = 0.1                  # of what `on` fits; also: times, skip, in_a_row
  [[fault]]
  kind = "drop"
  every = 5                   # seconds, on average

Times are seconds, or [shortest, longest]."""


def listing() -> str:
    """Every kind of fault with its settings, the presets, and an example of a file."""
    lines: list[str] = []
    for place, title in PLACES.items():
        lines.append(f"{title}:")
        for name, kind in KINDS.items():
            if kind.place == place:
                settings = f" ({', '.join(kind.settings)})" if kind.settings else ""
                lines.append(f"  {name:<18} {kind.says}{settings}")
        lines.append("")
    lines.append("Presets:")
    for name, faults in PRESETS.items():
        lines.append(f"  {name:<18} {', '.join(dict.fromkeys(fault.kind for fault in faults))}")
    return "\n".join([*lines, "", EXAMPLE])
