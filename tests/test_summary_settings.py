"""What an operator can set about language models, and what is refused with a reason."""

from __future__ import annotations

import traceback
from typing import Any

import pytest
from llm_stub import KEY
from pydantic import ValidationError

from plugins.archive.llm.providers import PRESETS
from plugins.archive.llm.settings import Endpoint, LlmConfig, LlmSettings


def config(**given: Any) -> LlmConfig:
    return LlmConfig.model_validate(given)


def test_nothing_is_sent_unless_it_is_turned_on() -> None:
    assert config(deepseek_api_key=KEY).llm_providers() == ()
    assert LlmSettings().redact


@pytest.mark.parametrize(
    ("name", "variable", "host"),
    [
        ("deepseek", "DEEPSEEK_API_KEY", "api.deepseek.com"),
        ("qwen", "QWEN_API_KEY", "dashscope.aliyuncs.com"),
        ("zhipu", "ZHIPU_API_KEY", "open.bigmodel.cn"),
        ("doubao", "DOUBAO_API_KEY", "ark.cn-beijing.volces.com"),
        ("gemini", "GEMINI_API_KEY", "generativelanguage.googleapis.com"),
        ("openai", "CHATGPT_API_KEY", "api.openai.com"),
    ],
)
def test_a_preset_needs_only_its_key(name: str, variable: str, host: str) -> None:
    field = LlmConfig.model_fields[variable.lower()]
    assert field.json_schema_extra == {"env": variable}
    (provider,) = config(llm={"enabled": True, "providers": [name]}, **{variable.lower(): KEY}).llm_providers()
    assert provider.url.startswith(f"https://{host}/")
    assert provider.url.endswith("/chat/completions")
    assert "//" not in provider.url.removeprefix("https://")
    assert provider.model
    assert provider.key.get_secret_value() == KEY


@pytest.mark.parametrize("name", PRESETS)
def test_a_missing_key_is_named(name: str) -> None:
    with pytest.raises(ValidationError, match=PRESETS[name].key):
        config(llm={"enabled": True, "providers": [name]})


def test_what_is_set_wins_over_the_preset() -> None:
    endpoint = {"base_url": "https://gateway.example/v1/", "model": "m-1", "extra": {}, "per_minute": 3}
    llm = {"enabled": True, "providers": ["qwen"], "endpoints": {"qwen": endpoint}}
    (provider,) = config(llm=llm, qwen_api_key=KEY).llm_providers()
    assert provider.url == "https://gateway.example/v1/chat/completions"
    assert (provider.model, provider.extra, provider.per_minute) == ("m-1", {}, 3)


def test_an_endpoint_of_ones_own_needs_address_and_model_and_no_key() -> None:
    own = {"base_url": "http://127.0.0.1:11434/v1", "model": "qwen3:8b"}
    llm = {"enabled": True, "providers": ["ollama"], "endpoints": {"ollama": own}}
    (provider,) = config(llm=llm).llm_providers()
    assert provider.label == "ollama/qwen3:8b"
    assert provider.key.get_secret_value() == ""
    with pytest.raises(ValidationError, match="base_url and model"):
        config(llm={**llm, "endpoints": {"ollama": {"model": "qwen3:8b"}}})


@pytest.mark.parametrize("providers", [[], ["deepseek", "deepseek"], ["nobody"], ["DeepSeek"]])
def test_the_list_of_providers_is_checked(providers: list[str]) -> None:
    with pytest.raises(ValidationError):
        LlmSettings.model_validate({"providers": providers})


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example/v1",
        "http://10.0.0.8/v1",
        "http://localhost.evil.example/v1",
        "ftp://127.0.0.1/",
        "https://user:pw@api.example/v1",
        "https://api.example/v1?key=x",
        "https://api.example/v1#x",
        "https://",
        "api.example",
        "https://[::1",
    ],
)
def test_an_address_is_https_or_this_machine(url: str) -> None:
    with pytest.raises(ValidationError):
        Endpoint(base_url=url)


@pytest.mark.parametrize(
    "url", ["http://localhost:1234/v1", "http://[::1]:1/v1", "http://127.0.0.2", "https://a.example"]
)
def test_this_machine_may_be_asked_without_tls(url: str) -> None:
    assert Endpoint(base_url=url).base_url == url


def test_a_key_is_in_no_error_and_in_no_representation() -> None:
    made = config(deepseek_api_key=KEY, llm={"enabled": True})
    assert KEY not in f"{made!r} {made.llm_providers()!r}"
    with pytest.raises(ValidationError) as refused:
        config(deepseek_api_key=KEY, llm={"enabled": True, "providers": ["qwen"]})
    problems = refused.value.errors(include_url=False, include_input=False)
    assert KEY not in f"{problems}{''.join(traceback.format_exception(refused.value))}"
