"""What of Kamailio is missing on a machine, by name; and how it is set up where nothing is."""

import re
from pathlib import Path

import pytest

from bench import kamailio
from bench.kamailio import NEEDED_MODULES, missing_for_kamailio


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The root of a machine on which nothing is installed."""
    root = tmp_path / "root"
    (root / "bin").mkdir(parents=True)
    monkeypatch.setenv("PATH", str(root / "bin"))
    monkeypatch.setattr(kamailio, "Path", lambda text: root / str(text).lstrip("/"))
    monkeypatch.setattr(kamailio, "PACKAGE_SQL", root / "sql")
    return root


def install(machine: Path, *, modules: tuple[str, ...] = (), has_tables: bool = False) -> None:
    program = machine / "bin" / "kamailio"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    place = machine / "usr/lib/kamailio/modules"
    if modules:
        place.mkdir(parents=True)
        for name in modules:
            (place / f"{name}.so").write_bytes(b"")
    if has_tables:
        (machine / "sql").mkdir()
        (machine / "sql" / "standard-create.sql").write_text("")


def test_a_machine_without_kamailio_is_told_what_to_install(machine: Path) -> None:
    missing = missing_for_kamailio()
    assert missing.startswith("kamailio is not installed (Debian: kamailio ")
    assert "kamailio-postgres-modules" in missing


def test_kamailio_outside_the_path_of_a_user_is_found(machine: Path) -> None:
    (machine / "usr/sbin").mkdir(parents=True)
    (machine / "usr/sbin/kamailio").write_text("")
    assert "modules" in missing_for_kamailio()


def test_missing_modules_are_named(machine: Path) -> None:
    install(machine, modules=tuple(name for name in NEEDED_MODULES if name not in ("cnxcc", "mtree")))
    assert missing_for_kamailio().startswith("Kamailio's modules cnxcc, mtree are not installed")


def test_no_modules_at_all_are_all_named(machine: Path) -> None:
    install(machine)
    assert all(name in missing_for_kamailio() for name in NEEDED_MODULES)


def test_missing_tables_are_named(machine: Path) -> None:
    install(machine, modules=NEEDED_MODULES)
    assert missing_for_kamailio().startswith("Kamailio's tables are missing in ")


def test_a_machine_that_has_everything_lacks_nothing(machine: Path) -> None:
    install(machine, modules=NEEDED_MODULES, has_tables=True)
    assert missing_for_kamailio() == ""


def test_its_configuration_has_every_place_filled(tmp_path: Path) -> None:
    file = kamailio._write_configuration(tmp_path, port=5060, trunk_port=5080)
    text = file.read_text()
    assert not re.findall(r"@[A-Z_]+@", text)
    assert "127.0.0.1:5060" in text
    assert "127.0.0.1:5080" in text


def test_its_price_is_micros_a_minute_and_pounds_a_second() -> None:
    assert kamailio._price() == "12000:0.000200"
