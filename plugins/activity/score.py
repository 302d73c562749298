"""The score: a weighted sum of counters, exact to the last digit."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property
from typing import Annotated, Any

from pydantic import Field

from core import Config

from .tables import COUNTERS

Weight = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False, strict=True)]


class Weights(Config):
    """Points per unit of each counter, ``[plugins.activity.config]`` in ``plugins.toml``."""

    message: Weight = 1.0
    """发言次数"""
    character: Weight = 0.01
    """发言字数"""
    replied: Weight = 1.5
    """被回复数"""
    mentioned: Weight = 1.5
    """单独被@次数"""
    topic: Weight = 1.0
    """发起话题数"""
    liking: Weight = 1.0
    """点赞数"""
    liked: Weight = 1.0
    """被点赞数"""
    pinned: Weight = 5.0
    """被Pin次数"""

    @cached_property
    def exact(self) -> tuple[tuple[tuple[str, int], ...], int]:
        """Every weight as a whole number of the same small part of a point, and how many parts are 0.01 points.

        The decimals meant are those that were written, so 0.01 is a hundredth and not its nearest binary fraction.
        """
        written = {name: Decimal(repr(getattr(self, name))) for name in COUNTERS}
        places = max(2, *(-int(value.as_tuple().exponent) for value in written.values()))
        return tuple((name, int(value.scaleb(places))) for name, value in written.items()), 10 ** (places - 2)


def score(counters: Mapping[str, Any], weights: Weights) -> float:
    """The weighted sum of whole-numbered ``counters``, rounded half up to 2 decimals."""
    parts, cent = weights.exact
    total = 0
    for name, weight in parts:
        total += weight * counters[name]
    return (2 * total + cent) // (2 * cent) / 100
