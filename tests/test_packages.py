"""Which plugins there are, when packages disagree about names, are there twice, or have damaged metadata."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from plugin_package import GOOD, install, on_path

from core import __version__
from core.loading.packages import Origin, available
from core.loading.plugins import load_all
from core.settings import PluginSettings

FILE = Path("plugins.toml")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    with on_path(tmp_path / "site") as site:
        yield site


def metadata(site: Path, name: str) -> Path:
    return site / f"larkflock_{name}-1.2.3.dist-info"


def registered(site: Path, name: str, lines: str) -> None:
    (metadata(site, name) / "entry_points.txt").write_text(f"[larkflock.plugins]\n{lines}\n")


def required(site: Path, name: str, *requirements: str) -> None:
    file = metadata(site, name) / "METADATA"
    file.write_text(file.read_text() + "".join(f"Requires-Dist: {one}\n" for one in requirements))


def obstacles(name: str) -> list[str]:
    return [f"{problem.what} → {problem.fix}" for problem in available()[name].obstacles("here")]


def test_two_packages_that_register_one_name_are_both_refused_by_name(site: Path) -> None:
    install(site, "one")
    install(site, "two")
    registered(site, "one", "clash = larkflock_one")
    registered(site, "two", "clash = larkflock_two")
    (told,) = obstacles("clash")
    assert "larkflock_one of larkflock-one 1.2.3" in told
    assert "larkflock_two of larkflock-two 1.2.3" in told
    assert told.endswith(
        ("uninstall larkflock-one 1.2.3 or larkflock-two 1.2.3", "uninstall larkflock-two 1.2.3 or larkflock-one 1.2.3")
    )


def test_a_package_that_registers_one_name_for_two_modules_is_refused(site: Path) -> None:
    install(site, "bad")
    registered(site, "bad", "bad = larkflock_bad\nbad = larkflock_other")
    (told,) = obstacles("bad")
    assert "larkflock_bad of larkflock-bad 1.2.3, larkflock_other of larkflock-bad 1.2.3" in told
    assert told.endswith("→ the author of larkflock-bad 1.2.3 has to register one")


def test_one_module_registered_twice_by_one_name_is_one_plugin(site: Path) -> None:
    install(site, "bad")
    registered(site, "bad", "bad = larkflock_bad\nbad = larkflock_bad")
    assert obstacles("bad") == []


def test_a_package_that_is_there_twice_is_the_first_one(site: Path, tmp_path: Path) -> None:
    with on_path(tmp_path / "older") as older:
        install(older, "bad", version="1.0")
        with on_path(tmp_path / "newer") as newer:
            install(newer, "bad", version="2.0")
            assert available()["bad"].source == "larkflock-bad 2.0"
            assert obstacles("bad") == []


def test_the_name_of_a_bundled_plugin_stays_its_own_and_that_is_told(site: Path) -> None:
    install(site, "activity", GOOD.format(name="activity"))
    loaded = load_all({"activity": PluginSettings(enabled=True)}, {}, FILE)
    (plugin,) = loaded.plugins
    assert (plugin.source, loaded.unfit) == ("bundled", ())
    (remark,) = plugin.remarks
    assert remark.what == (
        "larkflock-activity 1.2.3 brings a plugin of that name, too (larkflock_activity); the bundled one runs"
    )
    assert remark.fix == "uninstall it, or ask the author of larkflock-activity 1.2.3 for another name"


@pytest.mark.parametrize("text", ["[larkflock.plugins]\nno equals sign\n", "\udcff\udcfe", "[larkflock.plugins\n= ="])
def test_a_package_with_damaged_metadata_hides_no_other(site: Path, text: str) -> None:
    install(site, "bad")
    install(site, "good")
    (metadata(site, "bad") / "entry_points.txt").write_bytes(text.encode(errors="surrogateescape"))
    there = available()
    assert "good" in there
    assert {"activity", "archive", "health", "pin"} <= there.keys()


def test_a_package_whose_description_is_no_text_hides_no_other(site: Path) -> None:
    install(site, "bad")
    install(site, "good")
    (metadata(site, "bad") / "METADATA").write_bytes(b"Metadata-Version: 2.1\nName: larkflock-bad\xff\nVersion: 1\n")
    there = available()
    assert "good" in there
    assert "bad" not in there


@pytest.mark.parametrize(
    "requirement", ["larkflock>=99", "Larkflock[x] >=99,<100", 'larkflock>=99; python_version > "3"']
)
def test_another_version_of_the_program_is_asked_for_before_anything_is_imported(site: Path, requirement: str) -> None:
    install(site, "bad", "raise AssertionError('imported')")
    required(site, "bad", "orjson", requirement)
    (unfit,) = load_all({"bad": PluginSettings(enabled=True)}, {}, FILE).unfit
    (problem,) = unfit.problems
    assert "larkflock-bad 1.2.3 needs larkflock" in problem.what
    assert problem.what.endswith(f", and this is larkflock {__version__}")
    assert "a version of larkflock-bad made for larkflock" in problem.fix


@pytest.mark.parametrize(
    "requirement",
    [
        "larkflock",
        f"larkflock>={__version__}",
        "larkflock-other>=99",
        "not a requirement",
        'larkflock>=99; python_version < "3"',
    ],
)
def test_what_this_version_meets_is_no_obstacle(site: Path, requirement: str) -> None:
    install(site, "good")
    required(site, "good", requirement)
    assert obstacles("good") == []


def test_an_entry_point_that_names_an_object_means_its_module(site: Path) -> None:
    install(site, "good")
    registered(site, "good", "good = larkflock_good:manifest")
    assert available()["good"].module == "larkflock_good"


def test_a_bundled_plugin_has_no_author_to_be_named() -> None:
    assert Origin("a", "plugins.a", "bundled").author == "the author"
    assert Origin("a", "a", "larkflock-a 1.0").author == "the author of larkflock-a 1.0"
