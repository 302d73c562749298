"""What never reaches a language model, and what does."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.archive.llm.redaction import CARD, EMAIL, IDENTITY, LONGEST, PHONE, SECRET, Names, redacted


@pytest.mark.parametrize(
    "number",
    [
        "13800138000",
        "138 0013 8000",
        "138-0013-8000",
        "+86 13800138000",
        "+8613800138000",
        "008613800138000",
        "１３８００１３８０００",
        "138\u200b0013\u200b8000",
        "010-12345678",
        "0755 8765 4321",
        "(021)62345678",
        "400-800-1234",
        "+44 20 7946 0958",
        "+1 (415) 555-2671",
        "415-555-2671",
        "+81-3-1234-5678",
    ],
)
def test_a_phone_number_is_taken_out(number: str) -> None:
    assert redacted(f"打{number}找我") == f"打{PHONE}找我"


@pytest.mark.parametrize("number", ["11010519491231002X", "11010519491231002x", "110105 19491231 002X"])
def test_an_identity_number_is_known_by_its_check_digit(number: str) -> None:
    assert redacted(f"证件 {number}。") == f"证件 {IDENTITY}。"


def test_a_number_with_another_check_digit_is_no_identity_number() -> None:
    assert redacted("流水 110105194912310021 号") == "流水 110105194912310021 号"


def test_an_old_identity_number_is_known_by_its_date() -> None:
    assert redacted("110105491231002") == IDENTITY


@pytest.mark.parametrize(
    "number", ["4111111111111111", "4111 1111 1111 1111", "6222-0200-0000-0007", "378282246310005"]
)
def test_a_card_number_is_known_by_luhns_test(number: str) -> None:
    assert redacted(f"卡 {number} 招行") == f"卡 {CARD} 招行"


def test_a_number_that_fails_luhns_test_is_no_card() -> None:
    assert redacted("单号 4111111111111112") == "单号 4111111111111112"


@pytest.mark.parametrize("address", ["a.b+c@mail.example.co.uk", "张三@qq.com", "A_1@x-y.cn"])
def test_an_e_mail_address_is_taken_out(address: str) -> None:
    assert redacted(f"写给 {address} 吧") == f"写给 {EMAIL} 吧"


@pytest.mark.parametrize(
    "secret",
    [
        "sk-abcdefghijklmnop1234",
        "sk-proj-AbC_123-defGHI456",
        "AKIAIOSFODNN7EXAMPLE",
        "LTAI5tABCDEFGH12345",
        "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE",
        "ghp_0123456789abcdefghijABCDEFGHIJ012345",
        "github_pat_11ABCDEFG0abcdefghijkl",
        "xoxb-123456789012-abcdefGHIJ",
        "AIzaSyA1234567890abcdefghijklmnopqrstuv",
        "t-g1044ghJRUIJJ5ELPR4M7HKQ5CLT3ZQ5",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc-_",
        "0123456789abcdef0123456789abcdef",
        "0123456789abcdef0123456789abcdef.AbCdEfGh12345678",
        "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY",
    ],
)
def test_a_key_is_taken_out(secret: str) -> None:
    assert redacted(f"用 {secret} 试试") == f"用 {SECRET} 试试"


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("Authorization: Bearer abc.def-123", "abc.def-123"),
        ("password=hunter22", "hunter22"),
        ("密码是 Abc12345，别外传", "Abc12345"),
        ("验证码：482910", "482910"),
        ('{"api_key": "qwertyuiop"}', "qwertyuiop"),
        ("app_secret: 'zxcvbnm1'", "zxcvbnm1"),
        ("postgres://root:pw123456@db/x", "pw123456"),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----", "MIIEow"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNz", "b3BlbnNz"),
    ],
)
def test_what_stands_where_a_secret_stands_is_taken_out(text: str, secret: str) -> None:
    made = redacted(text)
    assert secret not in made
    assert SECRET in made


@pytest.mark.parametrize(
    "text",
    [
        "v2.3 发布于 2026-11-22 14:30:00",
        "订单 20240101 共 12345 件，1,234,567.89 元",
        "端口 8080，地址 192.168.1.10，耗时 3.14159265358979 s",
        "时间戳 1700000000000",
        "密码是什么？token 是什么意思",
        "https://docs.example/a/b?page=2#top",
        "请 @张三 看 om 文档",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redacted(text) == text.replace("，", ",").replace("？", "?")


@given(st.text(max_size=300))
def test_a_phone_number_is_taken_out_of_any_text(text: str) -> None:
    assert "13800138000" not in redacted(f"{text} 13800138000 {text}")


@pytest.mark.parametrize(
    "piece", ["/", "-", "a1", "1 ", "eyJ", "0", "token", "@", "a.", "://a:", "-----BEGIN PRIVATE KEY-----"]
)
def test_no_long_text_takes_long(piece: str) -> None:
    started = time.perf_counter()
    redacted(piece * LONGEST)
    assert time.perf_counter() - started < 1


def test_names_are_hidden_and_put_back() -> None:
    names = Names(["张三", "张三丰", "Ann", "Ann"], ["大家好"])
    hidden = names.hide("张三丰让@张三 问 Ann，Anniversary 是哪天")
    assert hidden == "成员2让@成员1 问 成员3,Anniversary 是哪天"
    assert names.of("Ann") == "成员3"
    assert names.restore("成员2 问了 成员 3，成员9 没说") == "张三丰 问了 Ann，成员9 没说"


def test_a_placeholder_is_a_word_nobody_wrote() -> None:
    names = Names(["张三"], ["成员1 是谁", "人员 2"])
    assert names.of("张三") == "参与者1"
    assert names.restore("成员1 还是 成员1") == "成员1 还是 成员1"


def test_a_hidden_name_before_a_number_does_not_hide_the_number() -> None:
    hidden = Names(["张三"], [""]).hide(redacted("张三13800138000"))
    assert hidden == f"成员1{PHONE}"


def test_one_letter_names_stay_in_the_text() -> None:
    names = Names(["X", "王"], [""])
    assert names.hide("X 轴，王者") == "X 轴,王者"
    assert names.of("X") == "成员1"
