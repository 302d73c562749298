"""How a text is taken apart to compare it with others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.archive.words import LONGEST, MOST, asks, words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The build FAILED", {"the", "build", "failed"}),
        ("部署失败", {"部署", "署失", "失败"}),
        ("把k8s集群升级到v2", {"k8s", "集群", "群升", "升级", "级到", "v2"}),
        ("ＣＰＵ", {"cpu"}),
        ("don't foo_bar 10.0.0.1 v1.2-rc.", {"don't", "foo_bar", "10.0.0.1", "v1.2-rc"}),
        ("カタカナ", {"カタ", "タカ", "カナ"}),
        ("한국어 단어", {"한국어", "단어"}),
        ("a 好 ! 😀 _", set()),
        ("", set()),
    ],
)
def test_words_are_lower_cased_and_unspaced_text_gives_neighbours(text: str, words: set[str]) -> None:
    assert words_of(text) == words


def test_the_first_words_of_a_long_text_are_kept() -> None:
    assert words_of(" ".join(f"word{n}" for n in range(1000))) == {f"word{n}" for n in range(MOST)}


@given(st.text())
def test_words_are_few_and_short_whatever_the_text(text: str) -> None:
    words = words_of(text)
    assert len(words) <= MOST
    assert all(2 <= len(word) <= LONGEST for word in words)


@pytest.mark.parametrize("text", ["why?", "好了吗", "你呢。", "在么 急", "哪个？", "see https://a.example/x ?"])
def test_a_question_is_seen(text: str) -> None:
    assert asks(text)


@pytest.mark.parametrize("text", ["done", "那么好的", "https://a.example/?x=1", "吗啡", ""])
def test_what_is_no_question_is_none(text: str) -> None:
    assert not asks(text)
