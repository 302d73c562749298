"""The sandbox shows a sent card as people see it, on a page that can do nothing."""

from __future__ import annotations

import contextlib
import copy
from html.parser import HTMLParser
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sandbox_client import running

from sandbox.card_view import live, markdown, show
from sandbox.cards import check
from sandbox.chat import Chat, Message
from sandbox.config import SandboxConfig
from sandbox.reply import ApiError

Card = dict[str, Any]
SENT = 1_793_500_200_000
"""2026-11-01 10:30 in Shanghai."""


def plain(content: str = "好", **more: Any) -> Card:
    return {"tag": "plain_text", "content": content, **more}


def plain_div(content: str) -> Card:
    return {"tag": "div", "text": plain(content)}


def option(content: str) -> Card:
    return {"text": plain(content), "value": content}


EVERYTHING: Card = {
    "schema": "2.0",
    "config": {"summary": {"content": "会话里的一行"}},
    "header": {
        "title": plain("周报"),
        "subtitle": plain("第 44 周"),
        "template": "green",
        "text_tag_list": [{"tag": "text_tag", "text": plain("新"), "color": "red"}],
    },
    "body": {
        "elements": [
            {"tag": "markdown", "text_size": "heading", "content": "**重点** [链接](https://x.cn) <at id=ou_1></at>"},
            {"tag": "div", "text": plain("小字", text_size="notation", text_color="grey"), "fields": [
                {"is_short": True, "text": plain("左边")}, {"is_short": True, "text": plain("右边")}]},
            {"tag": "hr"},
            {"tag": "img", "img_key": "img_1", "alt": plain("一张图")},
            {"tag": "chart", "chart_spec": {"type": "bar", "title": {"text": "柱状图"}}},
            {"tag": "column_set", "columns": [
                {"tag": "column", "width": "weighted", "weight": 2, "elements": [plain_div("第一列")]},
                {"tag": "column", "width": "auto", "elements": [plain_div("第二列")]}]},
            {"tag": "table", "columns": [{"name": "a", "display_name": "甲"}, {"name": "b", "data_type": "options"}],
             "rows": [{"a": "一格", "b": [{"text": "标签", "color": "blue"}]}]},
            {"tag": "collapsible_panel", "header": {"title": {"tag": "markdown", "content": "更多内容"}},
             "elements": [plain_div("折叠的")]},
            {"tag": "person", "user_id": "ou_1"},
            {"tag": "person_list", "persons": [{"id": "ou_2"}]},
            {"tag": "form", "name": "f", "elements": [
                {"tag": "input", "name": "i", "label": plain("姓名"), "placeholder": plain("请输入")},
                {"tag": "select_static", "name": "s", "placeholder": plain("选一个"), "options": [option("甲项")]},
                {"tag": "date_picker", "name": "d"},
                {"tag": "checker", "name": "c", "checked": True, "text": plain("同意")},
                {"tag": "button", "name": "b", "text": plain("提交"), "form_action_type": "submit"}]},
            {"tag": "interactive_container", "behaviors": [], "has_border": True, "elements": [plain_div("容器里")]},
            {"tag": "button", "text": plain("打开"), "behaviors": [
                {"type": "open_url", "default_url": "https://example.com/open"}]},
        ]
    },
}  # fmt: skip

OLD: Card = {
    "header": {"title": {"tag": "plain_text", "i18n": {"zh_cn": "旧卡片", "en_us": "Old"}}, "template": "red"},
    "elements": [
        {"tag": "div", "text": {"tag": "lark_md", "content": "**粗**"},
         "extra": {"tag": "button", "text": plain("旁边")}},
        {"tag": "note", "elements": [plain("注释"), {"tag": "img", "img_key": "img_1", "alt": plain("图")}]},
        {"tag": "action", "actions": [
            {"tag": "button", "text": plain("老按钮"), "url": "https://example.com/old"},
            {"tag": "overflow", "options": [option("更多项")]}]},
    ],
}  # fmt: skip


WORDS = (
    "周报 新 第 44 周 重点 链接 @林悦 小字 左边 右边 一张图 柱状图 第一列 第二列 甲 一格 标签 更多内容 折叠的 林悦 周明"
    " 姓名 请输入 选一个 选择日期 同意 提交 容器里 打开 会话里的一行 项目群 2026-11-01"
)
"""What ``EVERYTHING`` shows."""


class Reader(HTMLParser):
    """What a page shows, and what it is made of."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self._skips = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "action") and tag != "link"]
        self._skips += tag in ("style", "title")

    def handle_endtag(self, tag: str) -> None:
        self._skips -= tag in ("style", "title")

    def handle_data(self, data: str) -> None:
        if not self._skips and data.strip():
            self.words.append(data.strip())

    @property
    def text(self) -> str:
        return " ".join(self.words)


def page(card: Card) -> str:
    """The page of a card the sandbox takes."""
    return show(sent(card), names, "larkflock")


def sent(card: Card) -> Message:
    check(card)
    message = Message("om_1", Chat("oc_1", "项目群"), "cli_1", "interactive", "{}", SENT, SENT)
    message.card = orjson.dumps(card).decode()
    return message


def names(open_id: str) -> str:
    return {"ou_1": "林悦", "ou_2": "周明"}.get(open_id, "")


def inline(text: str) -> str:
    return str(markdown(text, lambda open_id: "林悦" if open_id == "ou_1" else ""))


def test_everything_a_card_2_0_says_is_on_the_page() -> None:
    shown = Reader(page(EVERYTHING))
    for words in WORDS.split():
        assert words in shown.text, words
    assert shown.links == ["https://x.cn", "https://example.com/open"]
    assert {"strong", "hr", "table", "details"} <= shown.tags


def test_everything_a_card_1_0_says_is_on_the_page() -> None:
    shown = Reader(page(OLD))
    assert shown.text.startswith("L larkflock 机器人 项目群 · 2026-11-01 10:30 旧卡片 粗 旁边 注释 图 老按钮 ⋯")
    assert shown.links == ["https://example.com/old"]


def test_a_card_of_a_template_says_that_the_platform_fills_it() -> None:
    shown = Reader(page({"type": "template", "data": {"template_id": "AAq7"}, "header": 7, "elements": 7}))
    assert "AAq7 由平台填写" in shown.text


def test_a_card_without_elements_or_title_is_shown() -> None:
    assert "larkflock" in Reader(page({})).text
    assert Reader(page({"i18n_elements": {"zh_cn": [{"tag": "markdown", "content": "中文"}]}})).text.endswith("中文")


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("**a** *b* ~~c~~ `d`", "<strong>a</strong> <em>b</em> <s>c</s> <code>d</code>"),
        ("**[a](https://x.cn)**", '<strong><a href="https://x.cn" rel="noopener noreferrer">a</a></strong>'),
        ("[a](javascript:alert(1))", '<span class="link">a</span>)'),
        ("<at id=ou_1></at><at id=all></at><at id='ou_9'></at>",
         '<span class="at">@林悦</span><span class="at">@所有人</span><span class="at">@ou_9</span>'),
        ("<font color='red'>a</font>", '<span class="ink c-red">a</span>'),
        ("<font color='pink'>a</font>", '<span class="ink ">a</span>'),
        ("<text_tag color='blue-300'>a</text_tag>", '<span class="tag c-blue">a</span>'),
        ("a<br>b", "a<br>b"),
        ("![](img_1)", '<span class="picture small">图片</span>'),
        ("<b>&", "&lt;b&gt;&amp;"),
        ("`<i>`", "<code>&lt;i&gt;</code>"),
    ],
)  # fmt: skip
def test_markdown_of_cards_becomes_html(text: str, html: str) -> None:
    assert inline(text) == f'<div class="line">{html}</div>'


def test_markdown_of_several_lines_keeps_its_form() -> None:
    shown = inline("# 标题\n- 一\n  1. 二\n> 引\n---\n```py\n<x>\n```\n后")
    assert '<div class="line h1">标题</div>' in shown
    assert '<div class="line item d0"><b>•</b><span>一</span></div>' in shown
    assert '<div class="line item d1"><b>1.</b><span>二</span></div>' in shown
    assert "<blockquote>引</blockquote><hr><pre>&lt;x&gt;</pre>" in shown
    assert shown.endswith('<div class="line">后</div>')


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [*([path] if path else []), *(place for key, each in inner for place in places(each, (*path, key)))]


@settings(deadline=None)  # The first example compiles the template.
@given(st.data())
def test_whatever_card_is_taken_can_be_shown_and_is_never_code(data: st.DataObject) -> None:
    card = copy.deepcopy(data.draw(st.sampled_from([EVERYTHING, OLD])))
    *path, last = data.draw(st.sampled_from(places(card)))
    holder: Any = card
    for key in path:
        holder = holder[key]
    hostile = '"><script>x</script><img src=x onerror=x>'
    words = st.one_of(st.text(max_size=5), st.sampled_from([hostile, f"**{hostile}**", f"[a](https://x{hostile})"]))
    scalars = st.one_of(st.none(), st.booleans(), st.integers(-(2**31), 2**31), words)
    objects = st.dictionaries(st.sampled_from(["tag", "elements", "text", "content", "id"]), words)
    holder[last] = data.draw(st.one_of(scalars, objects, st.lists(scalars, max_size=2)))
    with contextlib.suppress(ApiError):
        shown, used = Reader(page(card)), Reader(live(sent(card), names))
        assert not {"script", "img"} & shown.tags
        assert "script" not in used.tags
        assert not [name for name in shown.attributes | used.attributes if name.startswith("on") or name == "style"]
        assert not [link for link in shown.links if not link.startswith(("https://", "http://"))]
        ours = ("https://", "http://", "/sandbox/messages/om_1/files/")
        assert not [link for link in used.links if not link.startswith(ours)]


def test_a_card_to_be_used_says_what_its_controls_send() -> None:
    used = live(sent(EVERYTHING), names)
    assert 'data-form="f"' in used
    assert 'data-submits="submit"' in used
    assert '<option value="">选一个</option><option value="甲项">甲项</option>' in used
    assert {"data-tag", "data-name"} <= Reader(used).attributes
    pressed = {"tag": "button", "text": plain("好"), "behaviors": [{"type": "callback", "value": {"op": "<ok>"}}]}
    used = live(sent({"schema": "2.0", "body": {"elements": [pressed]}}), names)
    assert 'data-action="{&#34;tag&#34;:&#34;button&#34;,&#34;value&#34;:{&#34;op&#34;:&#34;&lt;ok&gt;&#34;}}"' in used


async def test_cards_that_were_sent_are_listed_and_shown() -> None:
    async with running(SandboxConfig(scenario="quiet")) as client:
        base = f"{client.sandbox.url}/sandbox/cards"
        async with client.session.get(base) as answer:
            assert "还没有" in await answer.text()
        client.say("不是卡片", message_id="om_text")
        first = await client.sent(OLD, "interactive")
        second = await client.sent(EVERYTHING, "interactive")
        async with client.session.get(base) as answer:
            assert answer.content_type == "text/html"
            listed = Reader(await answer.text())
        assert listed.links == [f"cards/{second['message_id']}", f"cards/{first['message_id']}"]
        assert [word for word in listed.words if word in ("周报", "旧卡片")] == ["周报", "旧卡片"]
        async with client.session.get(f"{base}/{second['message_id']}") as answer:
            assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
            assert "第 44 周" in await answer.text()
        for unknown in ("om_text", "om_none"):
            async with client.session.get(f"{base}/{unknown}") as answer:
                assert (answer.status, await answer.text()) == (
                    404,
                    f"there is no card {unknown}; all that were sent: /sandbox/cards",
                )
