"""The short form of ``benchmarks/soak.py``: some seconds of load; and how growth is reckoned."""

from __future__ import annotations

from pathlib import Path

import pytest
from soaking import Sample, Soak, soak


@pytest.fixture(scope="module")
def soaked(tmp_path_factory: pytest.TempPathFactory) -> Soak:
    directory: Path = tmp_path_factory.mktemp("soak")
    return soak(directory, seconds=6, rate=60, every=1.0, quiet=3)


def test_under_load_nothing_acknowledged_is_missing_from_the_journal(soaked: Soak) -> None:
    assert soaked.acknowledged > 150
    assert soaked.missing == 0


def test_under_load_neither_descriptors_nor_threads_become_many(soaked: Soak) -> None:
    assert max(sample.files for sample in soaked.samples) < 100
    assert max(sample.threads for sample in soaked.samples) < 30


def test_what_is_measured_goes_on_and_costs_something(soaked: Soak) -> None:
    moments = [sample.at for sample in soaked.samples]
    assert moments == sorted(set(moments))
    assert soaked.samples[-1].cpu > soaked.samples[0].cpu > 0
    assert soaked.samples[-1].journal > 0
    assert 0 < soaked.quiet_cpu < 1
    assert 0 < soaked.eager_cpu < 1


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
