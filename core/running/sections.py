"""The text of ``plugins.toml`` when a plugin is switched or a table gets its ID: what a person wrote stays as it is.

It only makes text, and never reads or writes a file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any, Final

import tomlkit
from pydantic import BaseModel
from pydantic_core import PydanticUndefined
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Table

from ..errors import ConfigurationError, Problem
from ..manifest import Config

PLAIN: Final = (bool, int, float, str)


def switched(text: str, name: str, *, on: bool, config: type[Config] = Config) -> str:
    """``text`` with ``enabled`` of ``[plugins.<name>]`` as wanted; a new section shows the options of ``config``.

    Raises ``ConfigurationError`` for a text that is no TOML, or so unusual that a person has to write it.
    """
    wanted = _parsed(text)
    section = wanted.setdefault("plugins", {}).setdefault(name, {})
    options = "" if section else _options(name, config)
    section |= {"enabled": on, **({"config": {}} if options else {})}
    for candidate in _candidates(text, name, on=on, options=options):
        try:
            if tomllib.loads(candidate) == wanted:
                return candidate
        except tomllib.TOMLDecodeError:
            continue
    what = f"the section of {name} is written in a way that cannot be changed without touching other things"
    raise ConfigurationError([Problem("plugins.toml", what, f"write enabled = {_toml(on)} there yourself")])


def placed(text: str, name: str, table: str, table_id: str) -> str:
    """``text`` with the Bitable ID of a table of the plugin ``name``, whose section has ``tables`` already.

    Raises ``ConfigurationError`` for a text that is no TOML, where another ID stands there, and where a person has to
    write it.
    """
    wanted = _parsed(text)
    tables = wanted.get("plugins", {}).get(name, {}).get("tables", {})
    if tables.get(table) not in ("", None, table_id):
        what = f"tables.{table} of {name} is {tables[table]}, and not {table_id}"
        raise ConfigurationError([Problem("plugins.toml", what, "decide which of the two it is to be")])
    tables[table] = table_id
    try:
        document: Any = tomlkit.parse(text)
        document["plugins"][name]["tables"][table] = table_id
        if tomllib.loads(document.as_string()) == wanted:
            return str(document.as_string())
    except (TOMLKitError, tomllib.TOMLDecodeError):
        pass
    what = f"the section of {name} is written in a way that cannot be changed without touching other things"
    raise ConfigurationError([Problem("plugins.toml", what, f'write tables.{table} = "{table_id}" there yourself')])


def _parsed(text: str) -> dict[str, Any]:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError([Problem("plugins.toml", f"is not TOML: {error}", "correct that line")]) from error
    sections = document.get("plugins", {})
    wrong = not isinstance(sections, dict) or not all(isinstance(section, dict) for section in sections.values())
    if wrong:
        raise ConfigurationError([Problem("plugins.toml", "holds more than sections", "write [plugins.<name>]")])
    return document


def _candidates(text: str, name: str, *, on: bool, options: str) -> Iterator[str]:
    """Ways to write it, the least change first; whether one says what is meant is for the caller to see."""
    try:
        document = tomlkit.parse(text)
        section = document.get("plugins", {}).get(name)
        if section is not None and "enabled" in section:
            section["enabled"] = on
            yield document.as_string()
        elif isinstance(section, Table) and not section.is_super_table():
            yield _first(text, name, f"enabled = {_toml(on)}")
    except TOMLKitError:
        pass
    ended = text if not text or text.endswith("\n") else f"{text}\n"
    gap = "\n" if ended.strip() else ""
    yield f"{ended}{gap}[plugins.{name}]\nenabled = {_toml(on)}\n{options}"
    document = tomlkit.parse(text)
    sections = document.setdefault("plugins", tomlkit.table())
    sections.setdefault(name, tomlkit.inline_table())["enabled"] = on
    yield document.as_string()


def _first(text: str, name: str, line: str) -> str:
    """``line`` as the first one below the header of the section."""
    lines = text.splitlines(keepends=True)
    for number, header in enumerate(lines):
        bare = header.split("#")[0].replace(" ", "").replace("\t", "").strip()
        if bare in (f"[plugins.{name}]", f'[plugins."{name}"]', f"[plugins.'{name}']"):
            end = "" if header.endswith("\n") else "\n"
            return "".join([*lines[: number + 1], f"{end}{line}\n", *lines[number + 1 :]])
    return text


def _options(name: str, config: type[BaseModel]) -> str:
    """The options as comments, each with its default."""
    lines = [f"# {option} = {shown}" for option, shown in _defaults(config)]
    return "\n".join(["", f"[plugins.{name}.config]", *lines, ""]) if lines else ""


def _defaults(config: type[BaseModel]) -> Iterator[tuple[str, str]]:
    for option, field in config.model_fields.items():
        value = field.get_default(call_default_factory=False)
        extra = field.json_schema_extra
        variable = extra.get("env", "") if isinstance(extra, dict) else ""
        notes = [field.description or "", f"also {variable} in .env" if variable else ""]
        note = "; ".join(note.replace("\n", " ") for note in notes if note)
        if value is PydanticUndefined and field.default_factory is None:
            yield option, f'""  # {"; ".join(["has to be given", *([note] if note else [])])}'
        elif isinstance(value, PLAIN) or (
            isinstance(value, list | tuple) and all(isinstance(one, PLAIN) for one in value)
        ):
            yield option, _toml(value) + (f"  # {note}" if note else "")


def _toml(value: Any) -> str:
    return str(tomlkit.item(list(value) if isinstance(value, tuple) else value).as_string())
