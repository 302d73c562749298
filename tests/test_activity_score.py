"""The golden cases of the score, and that it is exact."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest
from activity_driver import Driver
from group_events import message, pin, reaction, recall
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from plugins.activity.score import Weights, score
from plugins.activity.tables import COUNTERS


@pytest.fixture
def group(tmp_path: Path):
    with Driver(tmp_path) as driver:
        yield driver


def test_a_new_topic_of_four_characters_is_worth_2_04(group: Driver) -> None:
    assert group.deliver(message("m", "a", "你好世界")).row("a")["score"] == 2.04


def test_a_reply_that_also_mentions_its_author_is_worth_1_5(group: Driver) -> None:
    group.deliver(message("m", "a", "你好世界"), message("r", "b", "@_user_1 好", parent="m", mentions=["a"]))
    assert group.row("a")["score"] == 2.04 + 1.5
    assert group.row("a")["mentioned"] == 0


def test_a_like_is_worth_1_to_both(group: Driver) -> None:
    group.deliver(message("m", "a", "你好世界"), reaction("m", "b"))
    assert group.row("a")["score"] == 3.04
    assert group.row("b")["score"] == 1.0


def test_a_like_of_ones_own_message_is_given_but_not_received(group: Driver) -> None:
    row = group.deliver(message("m", "a", "你好世界"), reaction("m", "a")).row("a")
    assert (row["liking"], row["liked"], row["score"]) == (1, 0, 3.04)


def test_a_pin_is_worth_5(group: Driver) -> None:
    assert group.deliver(message("m", "a", "你好世界"), pin("m")).row("a")["score"] == 7.04


def test_a_recall_leaves_0_00(group: Driver) -> None:
    group.deliver(message("m", "a", "你好世界"), recall("m"))
    (row,) = group.rows()
    assert row["score"] == 0.0
    assert not any(row[counter] for counter in COUNTERS)


def test_half_a_hundredth_is_rounded_up() -> None:
    nothing = dict.fromkeys(COUNTERS, 0)
    weights = Weights(message=0.005, character=0.0049)
    assert score(nothing | {"message": 1}, weights) == 0.01
    assert score(nothing | {"character": 1}, weights) == 0.0
    assert score(nothing | {"message": 3}, weights) == 0.02


weight = st.floats(0, 1_000_000) | st.decimals(0, 100, places=3).map(float)


@given(
    counts=st.lists(st.integers(0, 10**7), min_size=8, max_size=8),
    weights=st.lists(weight, min_size=8, max_size=8),
)
def test_the_score_is_the_exact_decimal_sum(counts: list[int], weights: list[float]) -> None:
    exact = sum((Decimal(repr(w)) * n for w, n in zip(weights, counts, strict=True)), Decimal(0))
    counters = dict(zip(COUNTERS, counts, strict=True))
    found = score(counters, Weights(**dict(zip(COUNTERS, weights, strict=True))))
    assert found == float(exact.quantize(Decimal("0.01"), ROUND_HALF_UP))
    assert str(found)[0] != "-"


@given(st.integers(0, 10**9))
def test_a_hundredth_a_character_has_no_float_noise(characters: int) -> None:
    assert score(dict.fromkeys(COUNTERS, 0) | {"character": characters}, Weights()) == characters / 100


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "1.5", True, None, 2_000_000])
def test_a_weight_is_a_number_from_0_to_a_million(value: object) -> None:
    with pytest.raises(ValidationError):
        Weights.model_validate({"liked": value})


def test_an_unknown_weight_is_refused() -> None:
    with pytest.raises(ValidationError, match="likes"):
        Weights.model_validate({"likes": 1.0})


def test_changed_weights_recompute_every_stored_score_at_the_next_start(tmp_path: Path) -> None:
    with Driver(tmp_path) as driver:
        driver.deliver(message("m", "a", "你好世界"), message("old", "b", at=1_700_000_000_000), reaction("m", "b"))
        driver.restart(Weights(message=10.0, liked=0))
        assert driver.row("a")["score"] == 11.04
        assert driver.row("b", "2023-11")["score"] == 11.0
        assert driver.row("b")["score"] == 1.0
        driver.restart(Weights())
        assert driver.row("a")["score"] == 3.04


def test_the_same_weights_change_nothing_at_the_next_start(tmp_path: Path) -> None:
    with Driver(tmp_path) as driver:
        driver.deliver(message("m", "a", "你好世界"))
        driver.restart()
        assert driver.context.unit.rows == {}
