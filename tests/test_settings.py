"""Settings and ``plugins.toml``: what wins over what, and every mistake told with its name, its place, its remedy."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from core.errors import ConfigurationError, Problem
from core.settings import Settings, environment, load_plugins_file, load_settings

GIVEN = {"APP_ID": "cli_1", "APP_SECRET": "s3cret"}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty directory to be in, and an environment in which no setting is given."""
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def problems(action: Callable[[], Any]) -> list[Problem]:
    with pytest.raises(ConfigurationError) as raised:
        action()
    return list(raised.value.problems)


def test_defaults() -> None:
    settings = load_settings({}, needs_credentials=False)
    assert settings.feishu_base_url == "https://open.feishu.cn"
    assert (settings.data_dir, settings.log_dir, settings.plugins_file) == (
        Path("data"),
        Path("logs"),
        Path("plugins.toml"),
    )
    assert (settings.timezone, settings.zone) == ("Asia/Shanghai", ZoneInfo("Asia/Shanghai"))
    assert (settings.api_monthly_quota, settings.chat_id, settings.log_level) == (10_000, (), "INFO")
    assert (settings.max_retries, settings.retry_delay, settings.bitable_app_token) == (None, None, "")


def test_every_setting_can_be_given() -> None:
    settings = load_settings(
        GIVEN
        | {
            "FEISHU_BASE_URL": "https://open.larksuite.com/",
            "CHAT_ID": "oc_a, oc_b,,",
            "BITABLE_APP_TOKEN": "bascn",
            "DATA_DIR": "/srv/data",
            "LOG_DIR": "/srv/logs",
            "LOG_LEVEL": "DEBUG",
            "PLUGINS_FILE": "other.toml",
            "TIMEZONE": "Europe/Berlin",
            "API_MONTHLY_QUOTA": "50000",
            "MAX_RETRIES": "10",
            "RETRY_DELAY": "30",
            "ATTACHMENT_TYPES": "image, .PDF,",
            "UNRELATED": "x",
        },
        needs_credentials=True,
    )
    assert (settings.app_id, settings.app_secret.get_secret_value()) == ("cli_1", "s3cret")
    assert settings.feishu_base_url == "https://open.larksuite.com"
    assert settings.chat_id == ("oc_a", "oc_b")
    assert settings.attachment_types == ("image", "pdf")
    assert (settings.max_retries, settings.retry_delay, settings.api_monthly_quota) == (10, 30.0, 50_000)
    assert settings.plugins_file == Path("other.toml")


def test_the_environment_wins_over_the_file_and_what_is_empty_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text(
        "APP_ID=from_file\nAPP_SECRET=from_file\nCHAT_ID=\nTIMEZONE=Europe/Berlin\n# 注释\n", "utf-8"
    )
    monkeypatch.setenv("APP_ID", "from_environment")
    monkeypatch.setenv("TIMEZONE", "")
    env = environment({"APP_SECRET": "from_override"})
    assert (env["APP_ID"], env["APP_SECRET"], env["TIMEZONE"]) == (
        "from_environment",
        "from_override",
        "Europe/Berlin",
    )
    assert "CHAT_ID" not in env


def test_only_what_is_handed_in_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIMEZONE", "Europe/Berlin")
    monkeypatch.setenv("log_level", "nonsense")
    settings = load_settings({"app_id": "in lower case"}, needs_credentials=False)
    assert (settings.timezone, settings.log_level, settings.app_id) == ("Asia/Shanghai", "INFO", "")
    assert load_settings(environment(), needs_credentials=False).timezone == "Europe/Berlin"


def test_a_file_with_a_byte_order_mark_is_read_like_any_other() -> None:
    Path(".env").write_bytes("\ufeffAPP_ID=cli_1\n".encode())
    assert environment()["APP_ID"] == "cli_1"
    Path("plugins.toml").write_bytes("\ufeff[plugins.pin]\nenabled = true\n".encode())
    assert load_plugins_file(Path("plugins.toml"))["pin"].enabled


def test_an_env_file_that_is_not_utf_8_is_one_clear_problem() -> None:
    Path(".env").write_bytes("APP_ID=cli_1 # 应用".encode("gbk"))
    (problem,) = problems(environment)
    assert problem.where == ".env"
    assert problem.fix == "save it as UTF-8 text that this user may read"


def test_every_line_of_the_env_file_that_is_no_setting_is_named() -> None:
    Path(".env").write_text("# mine\nAPP_ID=cli_1\n=cli_2\nAPP_SECRET='never closed\n")
    told = problems(environment)
    assert [str(problem) for problem in told] == [
        f".env line {line}: is no NAME=value\n    → correct it, close its quotation mark, or put # before it"
        for line in (3, 4)
    ]


def test_a_folder_called_env_holds_no_settings() -> None:
    Path(".env").mkdir()
    assert "APP_ID" not in environment()


WRONG: dict[str, tuple[str, str, str]] = {
    "CHAT_ID": ("oc_ok, ou_person", "a group's ID starts with oc_, not ou_person", "correct CHAT_ID"),
    "TIMEZONE": ("Mars/Olympus", "'Mars/Olympus' is no time zone", "use an IANA name such as Asia/Shanghai"),
    "FEISHU_BASE_URL": ("open.feishu.cn", "'open.feishu.cn' is no https origin", "use https://open.feishu.cn or"),
    "API_MONTHLY_QUOTA": ("0", "should be greater than or equal to 1", "correct API_MONTHLY_QUOTA"),
    "ATTACHMENTS": ("base", "should be 'upload', 'local', 'both' or 'off'", "correct ATTACHMENTS"),
    "ATTACHMENT_MAX_MB": ("101", "should be less than or equal to 100", "correct ATTACHMENT_MAX_MB"),
    "ATTACHMENT_TYPES": (
        "image,*.pdf",
        "kinds and extensions such as image,pdf,docx, not *.pdf",
        "correct ATTACHMENT_TYPES",
    ),
    "MAX_RETRIES": ("-1", "should be greater than or equal to 0", "correct MAX_RETRIES"),
    "RETRY_DELAY": ("soon", "should be a valid number", "correct RETRY_DELAY"),
    "LOG_LEVEL": ("LOUD", "should be 'TRACE', 'DEBUG', 'INFO', 'WARNING' or 'ERROR'", "correct LOG_LEVEL"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_setting_names_itself_its_place_and_the_remedy(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    value, what, fix = WRONG[name]
    Path(".env").write_text(f"{name}={value}")
    (problem,) = problems(lambda: load_settings(environment(), needs_credentials=False))
    assert problem.where == f"setting {name} (.env)"
    assert problem.what.startswith(what)
    assert problem.fix.startswith(fix)
    monkeypatch.setenv(name, value)
    (problem,) = problems(lambda: load_settings(environment(), needs_credentials=False))
    assert problem.where == f"environment variable {name}"


@pytest.mark.parametrize(
    "zone", ["Asia/Nowhere", "/etc/passwd", "../../etc/passwd", "Asia", "", "\0", "UTC+8", "a" * 300]
)
def test_a_time_zone_that_is_none(zone: str) -> None:
    assert problems(lambda: load_settings({"TIMEZONE": zone}, needs_credentials=False))


@pytest.mark.parametrize(
    "url",
    [
        "http://open.feishu.cn",
        "http://127.0.0.1.evil.example",
        "http://localhost.evil.example:80",
        "https://",
        "https:///path",
        "https://open.feishu.cn/open-apis",
        "https://open.feishu.cn?x=1",
        "https://open.feishu.cn#x",
        "https://user:secret@open.feishu.cn",
        "ftp://open.feishu.cn",
        "https://[::1",
        "",
    ],
)
def test_a_base_url_that_is_no_safe_origin(url: str) -> None:
    (problem,) = problems(lambda: load_settings({"FEISHU_BASE_URL": url}, needs_credentials=False))
    assert problem.where == "setting FEISHU_BASE_URL (.env)"


@pytest.mark.parametrize(
    "url", ["https://open.feishu.cn", "https://proxy.example:8443", "http://127.0.0.1:1", "http://[::1]:9"]
)
def test_a_base_url_that_is_one(url: str) -> None:
    assert load_settings({"FEISHU_BASE_URL": f"{url}/"}, needs_credentials=False).feishu_base_url == url


def test_missing_credentials_name_the_way_without_any() -> None:
    both = problems(lambda: load_settings({}, needs_credentials=True))
    assert [problem.what for problem in both] == ["APP_ID is not set", "APP_SECRET is not set"]
    for problem in both:
        assert "developer console" in problem.fix
        assert problem.fix.endswith("python -m core run --sandbox")
    (one,) = problems(lambda: load_settings({"APP_ID": "cli_1"}, needs_credentials=True))
    assert one.where == "setting APP_SECRET (.env)"


def test_all_problems_are_told_at_once() -> None:
    env = {"TIMEZONE": "x", "CHAT_ID": "x", "MAX_RETRIES": "x", "FEISHU_BASE_URL": "x"}
    told = problems(lambda: load_settings(env, needs_credentials=True))
    assert {problem.where for problem in told} == {f"setting {name} (.env)" for name in (*env, "APP_ID", "APP_SECRET")}


def test_secrets_are_never_shown() -> None:
    env = GIVEN | {"TIMEZONE": "x"}
    assert "s3cret" not in "".join(map(str, problems(lambda: load_settings(env, needs_credentials=True))))
    settings = load_settings(GIVEN, needs_credentials=True)
    assert "s3cret" not in repr(settings) + str(settings) + settings.model_dump_json()


# plugins.toml


def read(text: str | bytes) -> Any:
    path = Path("plugins.toml")
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return load_plugins_file(path)


def test_sections_by_plugin() -> None:
    sections = read(
        """
        [plugins.activity]
        enabled = true
        tables.activity = "tblX"
        [plugins.activity.config]
        message = 2.5
        [plugins.pin]
        """
    )
    assert list(sections) == ["activity", "pin"]
    assert sections["activity"].enabled
    assert sections["activity"].tables == {"activity": "tblX"}
    assert sections["activity"].config == {"message": 2.5}
    assert not sections["pin"].enabled
    assert read("") == {}
    assert read("[plugins]") == {}


BAD_FILES: dict[str, tuple[str | bytes, str, str, str]] = {
    "not TOML": ("[plugins.activity\n", "plugins.toml", "is not TOML:", "correct that line"),
    "not TOML further down": ("[plugins.a]\nenabled = yes\n", "plugins.toml", "line 2", "correct that line"),
    "not UTF-8": (b"# \xff\xfe\n", "plugins.toml", "is not TOML:", "correct that line"),
    "an unknown section": (
        "[plugin.activity]\n",
        "plugins.toml",
        "unknown section [plugin]",
        "sections are named [plugins.<name>]",
    ),
    "plugins is a value": ("plugins = 3\n", "plugins.toml", "`plugins` is not a table", "write [plugins.<name>]"),
    "a plugin is a value": (
        "[plugins]\nactivity = true\n",
        "plugins.toml",
        "plugins.activity is not a table",
        "write [plugins.activity]",
    ),
    "an unknown name": (
        "[plugins.a]\nenable = true\n",
        "plugins.toml [plugins.a]",
        "enable: there is no such option",
        "remove enable, or correct its name",
    ),
    "a value of the wrong type": (
        '[plugins.a]\nenabled = "perhaps"\n',
        "plugins.toml [plugins.a]",
        "enabled: should be a valid boolean",
        "correct enabled",
    ),
    "a table ID of the wrong type": (
        "[plugins.a.tables]\nscores = 5\n",
        "plugins.toml [plugins.a]",
        "tables.scores: should be a valid string",
        "correct tables.scores",
    ),
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_mistake_in_the_file_is_one_clear_problem(kind: str) -> None:
    text, where, what, fix = BAD_FILES[kind]
    (problem,) = problems(lambda: read(text))
    assert problem.where == where
    assert what in problem.what
    assert problem.fix.startswith(fix)


def test_all_mistakes_in_the_file_are_told_at_once() -> None:
    told = problems(lambda: read("x = 1\n[plugins]\nb = 1\n[plugins.a]\nenable = true\nenabled = 7\n"))
    assert len(told) == 4


def test_a_file_that_is_not_there_names_the_setting() -> None:
    (problem,) = problems(lambda: load_plugins_file(Path("elsewhere/plugins.toml")))
    assert problem.where == os.path.join("elsewhere", "plugins.toml")
    assert problem.what == "the file does not exist"
    assert "PLUGINS_FILE" in problem.fix


def test_a_file_that_cannot_be_read_says_why() -> None:
    Path("plugins.toml").mkdir()
    (problem,) = problems(lambda: load_plugins_file(Path("plugins.toml")))
    assert problem.what.startswith("cannot be read:")
