"""What the operator decides: the environment, ``.env`` and ``plugins.toml``; it never asks the platform.

Names and defaults are those users already have (docs/settings.md). The environment wins over ``.env``.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dotenv import dotenv_values
from dotenv.parser import parse_stream
from pydantic import BaseModel, ConfigDict, Field, SecretStr, StrictBool, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from .errors import ConfigurationError, Problem

LOCAL: Final = ("127.0.0.1", "localhost", "::1")
SANDBOX_HINT: Final = "or try it without any credentials: python -m core run --sandbox"

_HOST: Final = re.compile(r"[\w.:-]+")

_ADVICE: Final = {
    "APP_ID": "copy it from the developer console, 凭证与基础信息 (Credentials & Basic Info)",
    "APP_SECRET": "copy it from the developer console, 凭证与基础信息 (Credentials & Basic Info)",
    "TIMEZONE": "use an IANA name such as Asia/Shanghai or Europe/Berlin",
    "FEISHU_BASE_URL": "use https://open.feishu.cn or https://open.larksuite.com, without a path",
}


class Settings(BaseSettings):
    """The kernel's settings. Secrets are never shown."""

    model_config = SettingsConfigDict(extra="ignore", frozen=True)

    app_id: str = ""
    app_secret: SecretStr = SecretStr("")
    feishu_base_url: str = "https://open.feishu.cn"
    chat_id: Annotated[tuple[str, ...], NoDecode] = ()
    """Watched groups; empty = every group the bot is in."""
    bitable_app_token: str = ""
    data_dir: Path = Path("data")
    log_dir: Path = Path("logs")
    log_level: Literal["TRACE", "DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    plugins_file: Path = Path("plugins.toml")
    timezone: str = "Asia/Shanghai"
    api_monthly_quota: int = Field(10_000, ge=1, le=10**12)
    """API calls a calendar month."""
    attachments: Literal["upload", "local", "both", "off"] = "upload"
    """Where files of messages go; without a base ``upload`` means ``local``."""
    attachment_max_mb: int = Field(50, ge=1, le=100)
    """MB (2²⁰ bytes) of a file at most."""
    attachment_types: Annotated[tuple[str, ...], NoDecode] = ()
    """Kinds (image, video, audio …) and extensions that are fetched; empty = all."""
    suspend_after: int = Field(20, ge=0, le=10**9)
    """Events of one plugin that fail in a row before it is suspended; 0 = never."""
    journal_keep_days: int = Field(30, ge=0, le=36_500)
    """Days for which events are kept after they arrived, and longer while a plugin needs them; 0 = for ever."""
    max_retries: int | None = Field(None, ge=0, le=10**9)
    """Attempts to connect before giving up; unset = never."""
    retry_delay: float | None = Field(None, gt=0, le=86_400)
    """Seconds between attempts; unset = growing with jitter, at most 60."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what ``load_settings`` was given: by their exact names, and never anything beside it."""
        return (init_settings,)

    @field_validator("chat_id", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("chat_id")
    @classmethod
    def _chats(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [chat for chat in value if not chat.startswith("oc_")]
        if wrong:
            raise ValueError(f"a group's ID starts with oc_, not {', '.join(wrong)}")
        return value

    @field_validator("attachment_types", mode="before")
    @classmethod
    def _types(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        types = tuple(part.strip().lower().removeprefix(".") for part in value.split(",") if part.strip())
        wrong = [part for part in types if not part.isalnum()]
        if wrong:
            raise ValueError(f"kinds and extensions such as image,pdf,docx, not {', '.join(wrong)}")
        return types

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"{value!r} is no time zone") from error
        return value

    @field_validator("feishu_base_url")
    @classmethod
    def _origin(cls, value: str) -> str:
        value = value.rstrip("/")
        parts = urlsplit(value)
        secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOCAL)
        if not secure or not _is_sound(parts) or value != f"{parts.scheme}://{parts.netloc}" or "@" in parts.netloc:
            shown = "what is given" if "@" in value else repr(value)
            raise ValueError(f"{shown} is no https origin (plain http only for this machine)")
        return value

    @property
    def zone(self) -> ZoneInfo:
        """The time zone as an object."""
        return ZoneInfo(self.timezone)


class PluginSettings(BaseModel):
    """One ``[plugins.<name>]`` section."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: StrictBool = False
    tables: dict[str, str] = {}
    """Bitable table IDs by table name; they win over the table's environment setting."""
    config: dict[str, Any] = {}


def environment(overrides: Mapping[str, str] | None = None) -> dict[str, str]:
    """Every name that may be set from outside: ``.env``, the environment over it, ``overrides`` over both.

    What is empty counts as not set. Raises ``ConfigurationError`` when ``.env``, or a line of it, cannot be read.
    """
    merged = _read_env_file(Path(".env"))
    merged.update({name: value for name, value in os.environ.items() if value})
    merged.update(overrides or {})
    return merged


def _read_env_file(path: Path) -> dict[str, str]:
    try:
        if not (path.is_file() or path.is_fifo()):  # A folder of that name may be a virtual environment.
            return {}
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        problem = Problem(str(path), f"cannot be read: {error}", "save it as UTF-8 text that this user may read")
        raise ConfigurationError([problem]) from error
    if odd := [binding.original.line for binding in parse_stream(StringIO(text)) if binding.error]:
        fix = "correct it, close its quotation mark, or put # before it"
        raise ConfigurationError([Problem(f"{path} line {line}", "is no NAME=value", fix) for line in odd])
    return {name: value for name, value in dotenv_values(stream=StringIO(text)).items() if value}


def load_settings(env: Mapping[str, str], *, needs_credentials: bool) -> Settings:
    """The settings in ``env``. Raises ``ConfigurationError`` with every problem."""
    names = {name.upper(): name for name in Settings.model_fields}
    given = {names[name]: value for name, value in env.items() if name in names}
    problems: list[Problem] = []
    settings: Settings | None = None
    try:
        settings = Settings(**given)  # type: ignore[arg-type]
    except ValidationError as error:
        for detail in error.errors(include_url=False, include_input=False):
            name = str(detail["loc"][0]).upper()
            problems.append(Problem(origin(name), finding(detail), _ADVICE.get(name, f"correct {name}")))
    if needs_credentials:
        problems += [
            Problem(origin(name), f"{name} is not set", f"{_ADVICE[name]}; {SANDBOX_HINT}")
            for name in ("APP_ID", "APP_SECRET")
            if not env.get(name)
        ]
    if problems or settings is None:
        raise ConfigurationError(problems)
    return settings


def load_plugins_file(path: Path) -> dict[str, PluginSettings]:
    """The sections of ``plugins.toml`` by plugin. Raises ``ConfigurationError`` with every problem."""
    sections, problems = read_plugins_file(path)
    if problems:
        raise ConfigurationError(problems)
    return sections


def read_plugins_file(path: Path) -> tuple[dict[str, PluginSettings], list[Problem]]:
    """The sections of ``plugins.toml`` that are right, and what is wrong with the others."""
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        fix = "create it, or set PLUGINS_FILE; see plugins.toml in the README"
        return {}, [Problem(str(path), "the file does not exist", fix)]
    except UnicodeDecodeError as error:
        return {}, [Problem(str(path), f"is not TOML: {error}", "correct that line")]
    except OSError as error:
        return {}, [Problem(str(path), f"cannot be read: {error}", "check its permissions")]
    return read_sections(text, path)


def read_sections(text: str, path: Path) -> tuple[dict[str, PluginSettings], list[Problem]]:
    """The same of a text that stands in ``path``, or will."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return {}, [Problem(str(path), f"is not TOML: {error}", "correct that line")]
    problems = [
        Problem(str(path), f"unknown section [{name}]", "sections are named [plugins.<name>]")
        for name in document
        if name != "plugins"
    ]
    sections = document.get("plugins", {})
    if not isinstance(sections, dict):
        problems.append(Problem(str(path), "`plugins` is not a table", "write [plugins.<name>] sections"))
        sections = {}
    plugins: dict[str, PluginSettings] = {}
    for name, section in sections.items():
        if not isinstance(section, dict):
            problems.append(Problem(str(path), f"plugins.{name} is not a table", f"write [plugins.{name}]"))
            continue
        try:
            plugins[name] = PluginSettings.model_validate(section)
        except ValidationError as error:
            for detail in error.errors(include_url=False, include_input=False):
                what = f"{_place(detail['loc'])}: {finding(detail)}"
                problems.append(Problem(f"{path} [plugins.{name}]", what, advice(detail)))
    return plugins, problems


def _is_sound(parts: SplitResult) -> bool:
    """Whether host and port are what a network knows."""
    try:
        return bool(_HOST.fullmatch(parts.hostname or "")) and not parts.netloc.endswith(":") and parts.port != 0
    except ValueError:  # A port that is none.
        return False


def advice(detail: Mapping[str, Any]) -> str:
    """What to do about one of pydantic's findings."""
    name = _place(detail["loc"]) or "these options together"
    return f"remove {name}, or correct its name" if detail["type"] == "extra_forbidden" else f"correct {name}"


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in location)


def finding(detail: Mapping[str, Any]) -> str:
    """One of pydantic's findings in words an operator understands."""
    if detail["type"] == "extra_forbidden":
        return "there is no such option"
    return str(detail["msg"]).removeprefix("Value error, ").removeprefix("Input ")


def origin(name: str) -> str:
    """Where an operator finds this setting."""
    if os.environ.get(name):
        return f"environment variable {name}"
    return f"setting {name} (.env)"
