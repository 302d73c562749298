"""The short form of ``benchmarks/soak.py``: two minutes of load; and how growth is reckoned."""

from __future__ import annotations

from pathlib import Path

import pytest
from soaking import Sample, Soak, soak


@pytest.mark.begun_first
@pytest.mark.unmeasured
@pytest.mark.timeout(300)
def test_two_minutes_of_load_lose_nothing_and_leave_nothing_open(tmp_path: Path) -> None:
    found = soak(tmp_path, seconds=120, rate=30, every=5.0, quiet=3)
    warm, last = found.after(60), found.samples[-1]
    assert found.acknowledged > 2500
    assert found.missing == 0
    assert last.files - warm[0].files <= 5
    assert last.threads - warm[0].threads <= 2
    assert max(sample.files for sample in found.samples) < 100
    assert max(sample.threads for sample in found.samples) < 30
    assert found.growth(60) < 20 << 20
    moments = [sample.at for sample in found.samples]
    assert moments == sorted(set(moments))
    assert last.at >= 115
    assert last.cpu > found.samples[0].cpu > 0
    assert last.journal > 0
    assert 0 < found.quiet_cpu < 1
    assert 0 < found.eager_cpu < 1


def test_growth_is_what_memory_gains_in_an_hour_after_the_warm_up() -> None:
    hour = 3600
    samples = [
        Sample(at, 50_000_000 + (0 if at < 600 else at - 600) * 1000, 40, 9, at / 10, at) for at in range(0, hour, 10)
    ]
    steady = [Sample(float(at), 50_000_000, 40, 9, at / 10, at) for at in range(0, hour, 10)]
    found = Soak(100.0, samples, 3590, 0, 0, {}, 0.0, 0.0)
    assert round(found.slope(600)) == 1000 * hour
    assert found.growth(600) == pytest.approx(1000 * 2400, rel=0.01)
    assert found.journal_bytes == 1.0
    assert Soak(100.0, steady, 1, 0, 0, {}, 0.0, 0.0).slope(600) == 0
