"""Acceptance: every flipped bit in a stored event is noticed, that event goes into quarantine, the rest goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
from bit_flips import flip

pytestmark = pytest.mark.unmeasured  # Tracing each line of this would take minutes, and shows no line others do not.

FLIPS = 10_000


def test_every_flipped_bit_in_a_stored_event_is_noticed(tmp_path: Path) -> None:
    outcome = flip(tmp_path / "data", FLIPS)
    print(outcome)
    assert (outcome.silent, outcome.neighbours_hurt) == (0, 0)
    assert outcome.quarantined == outcome.by_checksum + outcome.unreadable == FLIPS - outcome.harmless
    assert outcome.by_checksum > 0.9 * FLIPS
    assert outcome.harmless < 0.001 * FLIPS
