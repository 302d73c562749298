"""A plugin's front page: what it may say, and where its configuration comes from."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from core import Config, Manifest, Table, Text, env


def test_a_manifest_needs_a_name_and_a_summary_and_nothing_else() -> None:
    manifest = Manifest(name="pin", summary="Watches pins.")
    assert (manifest.permissions, manifest.tables, manifest.events, manifest.publishes) == ((), (), (), ())
    assert manifest.config is Config
    assert manifest.commands == ""


@pytest.mark.parametrize("name", ["", "Pin", "pin-board", "1pin", "pin board", "钉", "a" * 41, "pin\n"])
def test_a_name_is_an_identifier(name: str) -> None:
    with pytest.raises(ValueError, match="lower-case ASCII identifier"):
        Manifest(name=name, summary="")


def test_published_types_carry_the_plugins_name() -> None:
    Manifest(name="pin", summary="", publishes=("pin.added", "pin.removed"))
    with pytest.raises(ValueError, match=r"published types start with 'pin\.', not im\.message\.receive_v1, pinned"):
        Manifest(name="pin", summary="", publishes=("pin.added", "im.message.receive_v1", "pinned"))


@pytest.mark.parametrize("names", [("a", "a"), ("state",), ("a", "state")])
def test_tables_have_different_names_and_none_is_called_state(names: tuple[str, ...]) -> None:
    tables = tuple(Table(name, (Text("k"),), key=("k",)) for name in names)
    with pytest.raises(ValueError, match="different from each other and from 'state'"):
        Manifest(name="pin", summary="", tables=tables)


class Options(Config):
    interval: int = env("PIN_MONITOR_INTERVAL", 30, ge=10, le=3600)
    shown: bool = True


def test_a_configuration_is_frozen_and_takes_no_unknown_option() -> None:
    options = Options()
    assert (options.interval, options.shown) == (30, True)
    with pytest.raises(ValidationError, match="frozen"):
        options.interval = 5
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Options.model_validate({"intervall": 5})


@pytest.mark.parametrize("value", [9, 3601, "soon", None])
def test_the_limits_of_an_option_are_kept(value: Any) -> None:
    with pytest.raises(ValidationError):
        Options(interval=value)


def test_a_default_outside_its_own_limits_is_an_error() -> None:
    class Wrong(Config):
        port: int = env("PORT", 0, ge=1)

    with pytest.raises(ValidationError):
        Wrong()


def test_an_option_knows_its_environment_name() -> None:
    assert Options.model_fields["interval"].json_schema_extra == {"env": "PIN_MONITOR_INTERVAL"}
    assert Options.model_fields["shown"].json_schema_extra is None
