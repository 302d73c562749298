"""How long acknowledgements take, in a few hundred counters however many there are."""

from __future__ import annotations

from typing import Any

STEPS = 16
"""Buckets to a doubling: a percentile is off by 1/16 of its value at most."""


class Latency:
    """A histogram of durations with buckets that grow with the value."""

    __slots__ = ("_buckets", "count", "longest")

    def __init__(self) -> None:
        self.count = 0
        self.longest = 0.0
        """In seconds."""
        self._buckets = [0] * (STEPS * 40)

    def record(self, seconds: float) -> None:
        """One more duration."""
        self.count += 1
        if seconds > self.longest:
            self.longest = seconds
        micros = int(seconds * 1e6)
        if micros < STEPS:
            self._buckets[micros] += 1
            return
        shift = micros.bit_length() - STEPS.bit_length()
        self._buckets[min((shift + 1) * STEPS + (micros >> shift) - STEPS, len(self._buckets) - 1)] += 1

    def percentile(self, share: float) -> float:
        """The duration in seconds that ``share`` (0…1) of all stayed below; 0 while there is none."""
        left = share * self.count
        for bucket, count in enumerate(self._buckets):
            left -= count
            if count and left <= 0:
                return min(_upper(bucket) / 1e6, self.longest)
        return self.longest

    def document(self) -> dict[str, Any]:
        """Count, p50, p99 and the longest, in ms."""
        return {
            "count": self.count,
            "p50": round(self.percentile(0.5) * 1000, 3),
            "p99": round(self.percentile(0.99) * 1000, 3),
            "max": round(self.longest * 1000, 3),
        }


def _upper(bucket: int) -> int:
    """The first µs value above the bucket."""
    if bucket < STEPS:
        return bucket + 1
    shift, step = divmod(bucket, STEPS)
    return (STEPS + step + 1) << (shift - 1)
