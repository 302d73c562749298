"""How long the visible text of a message is."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.activity.text import visible_length


@pytest.mark.parametrize(
    ("text", "keys", "length"),
    [
        ("", [], 0),
        ("你好世界", [], 4),
        ("  你好 世界 \n", [], 5),
        ("两\n行", [], 3),
        ("👍🏽", [], 2),
        ("e\u0301", [], 2),
        ("@_user_1 好", ["@_user_1"], 1),
        ("请 @_user_1 和 @_user_2 看看", ["@_user_1", "@_user_2"], 8),
        ("@_all 开会", [], 2),
        ("@_all开会", ["@_all"], 2),
        ("@_user_10好@_user_1", ["@_user_1", "@_user_10"], 1),
        ("@_user_12", ["@_user_1"], 1),
        ("@_user_7 没有提到", ["@_user_1"], 13),
        ("@_@_allall", [], 5),
        ("a@b.cn", ["@_user_1"], 6),
        ("好", [""], 1),
    ],
)
def test_text(text: str, keys: list[str], length: int) -> None:
    assert visible_length("text", {"text": text}, keys) == length


def test_a_post_counts_title_text_links_and_code() -> None:
    post = {
        "title": "周报",
        "content": [
            [
                {"tag": "text", "text": " 进展 ", "style": ["bold"]},
                {"tag": "a", "href": "https://example.com", "text": "链接"},
                {"tag": "at", "user_id": "@_user_1", "user_name": "小李"},
            ],
            [{"tag": "img", "image_key": "img_v3_x"}, {"tag": "emotion", "emoji_type": "SMILE"}, {"tag": "hr"}],
            [{"tag": "media", "file_key": "file_v3_x"}, {"tag": "code_block", "language": "GO", "text": "x := 1\n"}],
        ],
    }
    assert visible_length("post", post, ["@_user_1"]) == len("周报 进展 链接x := 1")


@pytest.mark.parametrize(
    "kind",
    ["image", "file", "folder", "audio", "media", "sticker", "interactive", "share_chat", "system", "hongbao", "todo"],
)
def test_other_types_count_nothing(kind: str) -> None:
    assert visible_length(kind, {"text": "[图片]", "title": "标题", "content": [[{"tag": "text", "text": "x"}]]}) == 0


@pytest.mark.parametrize(
    "content",
    [{}, {"text": None}, {"text": 5}, {"title": 1, "content": "x"}, {"content": [None, "x", [None, {"tag": "text"}]]}],
)
def test_what_is_no_text_counts_nothing(content: dict[str, Any]) -> None:
    assert visible_length("text", content) == 0
    assert visible_length("post", content) == 0


@given(st.text())
def test_plain_text_counts_its_code_points(text: str) -> None:
    text = text.replace("@_", "")
    assert visible_length("text", {"text": text}) == len(text.strip())


@given(st.lists(st.text(alphabet="好 a1", max_size=5), min_size=1, max_size=14))
def test_placeholders_are_worth_nothing_wherever_they_stand(words: list[str]) -> None:
    keys = [f"@_user_{number}" for number in range(1, len(words))]
    # A digit right after a placeholder may make it another one; the platform has no way to say which is meant.
    words = [word.lstrip("1") for word in words]
    text = words[0] + "".join(key + word for key, word in zip(keys, words[1:], strict=True))
    assert visible_length("text", {"text": text}, keys) == len("".join(words).strip())
