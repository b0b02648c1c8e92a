"""conf/ as a whole: what a fresh exchange gets, what an operator may write, and how changes are noticed."""

import os
import re
from pathlib import Path

import msgspec
import pytest

from rating.money import VatMode
from switch.calls.number_plan import E164, Emergency, NumberFormat, Short, read_dialled
from switch.conf_addresses import TrunkAddress
from switch.conf_cli import CliRules
from switch.conf_edge import Tls, WebSocket
from switch.conf_trunks import Trunk
from switch.config import (
    Address,
    CallLimits,
    Conf,
    Database,
    DigestSettings,
    Dns,
    Exchange,
    IdentityHeader,
    Listen,
    Prepaid,
    RegistrarSettings,
    Security,
    Transport,
    Voicemail,
    conf_fingerprint,
    settings_needing_restart,
)
from tests.switch.conf_folder import ROUTING, SHIPPED, TRUNKS, ConfFolder


@pytest.fixture
def folder(tmp_path: Path) -> ConfFolder:
    return ConfFolder(tmp_path)


# What is shipped


def test_shipped_files_are_valid_and_warn_only_of_emergency_calls(folder: ConfFolder) -> None:
    conf = folder.load()
    line = (SHIPPED / "routing.toml").read_text().split("\n").index("trunks = []") + 1
    assert [str(warning) for warning in conf.warnings] == [
        f"routing.toml:{line}: emergency.trunks: found no trunk for emergency calls, "
        "expected at least one: 999, 112 and 18000 cannot be connected without it"
    ]
    assert conf.trunks == {}
    assert conf.routing.emergency_trunks == ()
    assert list(conf.tariffs) == ["retail"]
    assert conf.tariffs["retail"].vat is VatMode.INC_VAT


def test_shipped_values_are_the_defaults(folder: ConfFolder) -> None:
    conf = folder.load()
    assert conf.exchange == Exchange()
    assert conf.listen == Listen()
    assert (conf.tls, conf.websocket) == (Tls(), WebSocket())
    assert conf.database == Database()
    assert conf.registrar == RegistrarSettings()
    assert conf.calls == CallLimits()
    assert conf.prepaid == Prepaid()
    assert conf.digest == DigestSettings()
    assert conf.security == Security()
    assert conf.voicemail == Voicemail()
    assert conf.cli == CliRules()
    assert conf.listen.udp == conf.listen.tcp == (Address("0.0.0.0", 5060),)
    assert conf.metrics == Address("127.0.0.1", 9464)


def test_every_key_is_written_out_and_commented_with_its_default() -> None:
    text = (SHIPPED / "offhook.toml").read_text()
    sections = (
        *(Exchange, Listen, Tls, WebSocket, Database, RegistrarSettings, CallLimits, Prepaid),
        *(DigestSettings, Security, Dns, Voicemail, CliRules),
    )
    keys = [field.name for struct in sections for field in msgspec.structs.fields(struct)]
    for key in (key for key in keys if key != "listed"):
        assert re.search(rf"(?m)^{key} = ", text), key
    for paragraph in re.split(r"\n\n|(?m:^\[[a-z.]+\]\n)", text):
        if re.search(r"(?m)^[a-z_]+ = ", paragraph):
            assert re.search(r"[Dd]efault", paragraph), paragraph


def test_example_trunk_names_every_key_and_is_valid_once_uncommented(folder: ConfFolder) -> None:
    for name in ("trunks.toml", "routing.toml"):
        text = (folder.path / name).read_text()
        folder.write(name, re.sub(r'(?m)^# ((\[trunk|[a-z_]+ = |").*)$', r"\1", text))
    example = (folder.path / "trunk_secrets.example.toml").read_text()
    folder.write("trunk_secrets.toml", re.sub(r"(?m)^# (\[trunk|password = )", r"\1", example))
    keys = {field.name for field in msgspec.structs.fields(Trunk)} - {"name", "password"}
    written = set(re.findall(r"(?m)^([a-z_]+) = ", (folder.path / "trunks.toml").read_text()))
    assert written == keys
    # The routes also name a second carrier, which the example file does not have.
    folder.write(
        "trunks.toml",
        (folder.path / "trunks.toml").read_text() + '[trunk.carrier_b]\naddresses = ["192.0.2.1:5060"]\n',
    )
    conf = folder.load()
    assert conf.trunks["carrier_a"].username == "offhook42"
    assert conf.routing.targets("+441632960123") == ("carrier_a", "carrier_b")


RETAIL = """
    # number            -> destination
    +441632960123       -> UK landline
    +442079460123       -> UK landline
    +443069990123       -> UK wide 03
    +447700900123       -> UK mobile
    +447012345678       -> UK personal number 070
    +447612345678       -> UK pager
    +447624123456       -> Isle of Man mobile
    +441534123456       -> Jersey landline
    +447797123456       -> Jersey mobile
    +441481123456       -> Guernsey landline
    +448081570123       -> UK freephone
    +448001111          -> UK freephone
    116123              -> Social helpline 116
    +448431234567       -> UK service 084
    +448451234567       -> UK service 084
    +448712345678       -> UK service 087
    +449098790123       -> UK premium 09
    118500              -> Directory enquiries 118
    101                 -> Police non-emergency
    +12025550123        -> USA and Canada
    +18765550123        -> Jamaica
    999                 -> none
    112                 -> none
    18000               -> none
    +8811234567         -> none
"""


@pytest.mark.parametrize(
    ("number", "destination"),
    [tuple(cell.strip() for cell in row.split("->")) for row in RETAIL.split("\n")[2:] if row.strip()],
)
def test_shipped_prices_know_the_destination(folder: ConfFolder, number: str, destination: str) -> None:
    rate = folder.load().tariffs["retail"].rate_for(number, 1_790_000_000_000)
    assert (rate.destination if rate is not None else "none") == destination


@pytest.mark.parametrize(
    ("number", "is_landline"),
    [
        ("+441632960123", True),
        ("+443069990123", True),
        ("+447700900123", False),
        ("+441534123456", False),
        ("+441481123456", False),
        ("+441624123456", False),
        ("+445601056056", False),
        ("+447012345678", False),
    ],
)
def test_minutes_for_landlines_are_for_03_and_not_for_the_islands(
    folder: ConfFolder, number: str, is_landline: bool
) -> None:
    rate = folder.load().tariffs["retail"].rate_for(number, 1_790_000_000_000)
    assert rate is not None
    assert (rate.group == "uk_landline") is is_landline



def test_shipped_prices_keep_to_the_law(folder: ConfFolder) -> None:
    tariff = folder.load().tariffs["retail"]
    at_ms = 1_790_000_000_000
    landline, uk_wide = tariff.rate_for("+441632960123", at_ms), tariff.rate_for("+443069990123", at_ms)
    assert landline is not None
    assert uk_wide is not None
    assert uk_wide.per_minute_micros <= landline.per_minute_micros
    for free in ("+448081570123", "+44800123456", "116123", "101", "111"):
        rate = tariff.rate_for(free, at_ms)
        assert rate is not None
        assert rate.is_free


# What may be written


def test_trunks_are_read_with_every_key(folder: ConfFolder) -> None:
    folder.write_two_trunks()
    trunks = folder.load().trunks
    assert list(trunks) == ["carrier_a", "carrier_b"]
    assert trunks["carrier_a"] == Trunk(
        name="carrier_a", addresses=(TrunkAddress("203.0.113.7", 5060), TrunkAddress("203.0.113.8", 5080))
    )
    trunk = trunks["carrier_b"]
    assert trunk.password == "not a real one"
    assert trunk.transport is Transport.TCP
    assert trunk.transport.flow_name == "TCP"
    assert trunk.from_domain == "sip.example.co.uk"
    assert (trunk.number_format, trunk.inbound_number_format) == (NumberFormat.NATIONAL, NumberFormat.E164)
    assert trunk.identity is IdentityHeader.RPID
    assert trunk.pass_headers == {"x-customer-reference"}
    assert trunk.failover_codes == {408, 503, *range(600, 700)}
    assert [str(source) for source in trunk.sources] == ["198.51.100.0/28", "198.51.100.77", "192.0.2.9:5070"]


def test_failover_defaults_to_408_and_every_5xx() -> None:
    assert Trunk().failover_codes == {408, *range(500, 600)}


def test_trunk_is_known_by_address_and_by_source(folder: ConfFolder) -> None:
    folder.write_two_trunks()
    sources = folder.load().trunk_sources
    assert sources.find("203.0.113.8", 5080) == "carrier_a"
    assert sources.find("203.0.113.8", 5060) is None
    assert sources.find("198.51.100.3", 40000) == "carrier_b"
    assert sources.find("192.0.2.9", 5070) == "carrier_b"
    assert sources.find("192.0.2.10", 5070) is None


def test_routing_is_read_with_every_key(folder: ConfFolder) -> None:
    folder.write_two_trunks()
    conf = folder.load()
    routing = conf.routing
    assert routing.targets("+441632960123") == ("carrier_a", "carrier_b")
    assert routing.targets("+449812345678") == ()
    assert routing.emergency_trunks == ("carrier_b", "carrier_a")
    assert conf.warnings == []
    local = read_dialled("960123", routing.plan).destination
    assert isinstance(local, E164)
    assert local.number == "+441632960123"
    assert isinstance(read_dialled("150", routing.plan).destination, Short)
    assert read_dialled("911", routing.plan).destination == Emergency("999")
    assert not isinstance(read_dialled("08421234567", routing.plan).destination, E164)


def test_versions_hold_the_files_but_never_a_password(folder: ConfFolder) -> None:
    folder.write_two_trunks()
    conf = folder.load()
    assert [(text.kind, text.name) for text in conf.versions] == [
        ("trunks", "trunks"),
        ("routing", "routing"),
        ("time_sets", "time-sets"),
        ("tariff", "retail"),
    ]
    assert [text.content for text in conf.versions[:2]] == [TRUNKS, ROUTING]
    assert all(re.fullmatch("[0-9a-f]{16}", text.version) for text in conf.versions)
    assert conf.versions[1].version == conf.routing.version
    assert conf.versions[3].version == conf.tariffs["retail"].version
    assert "not a real one" not in "".join(text.content for text in conf.versions)
    assert "not a real one" not in repr(conf.trunks)


def test_password_in_a_dsn_is_not_in_the_repr(folder: ConfFolder) -> None:
    folder.write("offhook.toml", '[database]\ndsn = "postgresql://offhook:hidden@db.example.co.uk/offhook"\n')
    conf = folder.load()
    assert conf.database.dsn == "postgresql://offhook:hidden@db.example.co.uk/offhook"
    assert "hidden" not in repr(conf.database)


def test_files_with_windows_line_ends_and_byte_order_mark_are_read(folder: ConfFolder) -> None:
    folder.write_two_trunks()
    for name in ("offhook.toml", "trunks.toml", "routing.toml", "tariffs/retail.csv"):
        data = (folder.path / name).read_bytes().replace(b"\n", b"\r\n")
        (folder.path / name).write_bytes(b"\xef\xbb\xbf" + data)
    assert list(folder.load().trunks) == ["carrier_a", "carrier_b"]


def test_metrics_can_be_switched_off(folder: ConfFolder) -> None:
    folder.write("offhook.toml", '[listen]\nmetrics = ""\n')
    assert folder.load().metrics is None


# Noticing changes


def test_fingerprint_changes_with_every_kind_of_change(folder: ConfFolder) -> None:
    marks = [conf_fingerprint(folder.path)]
    assert conf_fingerprint(folder.path) == marks[0]

    def changed() -> bool:
        marks.append(conf_fingerprint(folder.path))
        return marks[-1] not in marks[:-1]

    folder.write("trunk_secrets.toml", "")
    assert changed()
    (folder.path / "trunk_secrets.toml").chmod(0o644)
    assert changed()
    folder.write("routing.toml", "# longer than it was: " + "x" * 5000)
    assert changed()
    os.utime(folder.path / "offhook.toml", ns=(1, 1))
    assert changed()
    folder.write("tariffs/wholesale.csv", "prefix\n")
    assert changed()
    (folder.path / "tariffs" / "retail.csv").unlink()
    assert changed()


def test_fingerprint_of_a_folder_that_is_gone_is_empty(tmp_path: Path) -> None:
    assert conf_fingerprint(tmp_path / "absent") == ()


def test_fingerprint_ignores_what_is_not_read(folder: ConfFolder) -> None:
    before = conf_fingerprint(folder.path)
    (folder.path / "notes.txt").write_text("not ours")
    (folder.path / ".offhook.toml.swp").write_text("an editor's")
    assert conf_fingerprint(folder.path) == before


def test_settings_that_wait_for_a_restart_are_named(folder: ConfFolder) -> None:
    running = folder.load()
    assert settings_needing_restart(running, folder.load()) == []
    folder.write(
        "offhook.toml",
        '[calls]\ncalls_max = 7\n[listen]\nudp = ["127.0.0.1:5060"]\n[digest]\nrealm = "other"\n',
    )
    loaded: Conf = folder.load()
    assert settings_needing_restart(running, loaded) == ["listen", "digest.realm"]
