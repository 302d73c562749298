"""The scores of the grouping benchmark, on examples small enough to be worked out by hand."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.disentanglement import compare, heaviest_matching

LABELS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=2, max_size=40)


def test_the_same_clustering_under_other_names_is_perfect() -> None:
    scores = compare("aabbc", "xxyyz")
    assert (scores.information, scores.one_to_one, scores.exact) == (100, 100, 100)


def test_one_message_in_the_wrong_conversation() -> None:
    scores = compare("aaab", "xxyy")
    # a/x share 2, a/y 1, b/y 1. Best pairing: a-x and b-y, 3 of 4.
    assert scores.one_to_one == 75
    # H(gold|found) = 1/2, H(found|gold) = 3/4 · H(1/3) = 3/4 · log2 3 - 1/2; divided by log2 4.
    assert scores.information == pytest.approx(100 - 100 * (0.75 * math.log2(3)) / 2)
    # {1,2,3} is not found; {1,2} and {3,4} are not there; {4} is single.
    assert (scores.precision, scores.recall, scores.exact) == (0, 0, 0)


def test_every_message_alone() -> None:
    scores = compare("aaaa", "wxyz")
    assert scores.one_to_one == 25
    assert scores.information == 0  # VI = log2 4, the most there can be.
    assert scores.exact == 0


def test_all_messages_in_one_conversation() -> None:
    scores = compare("aabb", "xxxx")
    assert scores.one_to_one == 50
    assert scores.information == 50  # VI = H(gold) = 1 bit of 2.


def test_exact_matches_are_counted_of_both_sides_without_single_messages() -> None:
    # Gold: {1,2} {3,4,5} {6} {7,8}; found: {1,2} {3,4} {5} {6} {7} {8}.
    scores = compare("aabbbcdd", "mmnnopqr")
    assert scores.precision == 50  # {1,2} of {1,2}, {3,4}
    assert scores.recall == pytest.approx(100 / 3)  # {1,2} of {1,2}, {3,4,5}, {7,8}
    assert scores.exact == pytest.approx(40)


def test_the_best_pairing_is_not_the_greedy_one() -> None:
    # Greedy takes 5 and then 0; 4 + 4 is more.
    assert heaviest_matching({("a", "x"): 5, ("a", "y"): 4, ("b", "x"): 4}) == 8


def test_labels_of_different_length_or_none_are_refused() -> None:
    with pytest.raises(ValueError, match="2 and 1 labels"):
        compare("aa", "a")
    with pytest.raises(ValueError, match="0 and 0 labels"):
        compare("", "")


@given(st.dictionaries(st.tuples(st.integers(0, 4), st.integers(5, 9)), st.integers(1, 9), max_size=25))
def test_the_matching_weighs_what_trying_all_gives(weights: dict[tuple[int, int], int]) -> None:
    tried = (
        sum(weights.get((left, right), 0) for left, right in zip(range(5), rights, strict=True))
        for rights in itertools.permutations(range(5, 10))
    )
    assert heaviest_matching(weights) == max(tried)


@given(LABELS)
def test_scores_stay_between_nothing_and_all_and_do_not_depend_on_sides(pairs: list[tuple[int, int]]) -> None:
    gold, found = [left for left, _ in pairs], [right for _, right in pairs]
    scores, mirrored = compare(gold, found), compare(found, gold)
    assert -1e-9 <= scores.information <= 100 + 1e-9
    assert 0 < scores.one_to_one <= 100
    assert scores.information == pytest.approx(mirrored.information)
    assert scores.one_to_one == mirrored.one_to_one
    assert (scores.precision, scores.recall, scores.exact) == (mirrored.recall, mirrored.precision, mirrored.exact)
