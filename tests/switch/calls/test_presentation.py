"""What a line presents: its own numbers and those it has an undertaking for; anything else is its network number."""

import msgspec
import pytest

from provisioning.model import LineKind
from provisioning.settings import LineSettings, PresentedNumber
from provisioning.settings_text import changed_line_settings, read_line_assignments
from switch.conf_cli import CliRules
from tests.switch.house import House, make_conf, make_line, make_trunk
from tests.tables import cases

CARRIER = "192.0.2.50"
PRESENTS = (
    PresentedNumber("+442079460001", 5, "case 1", "2099-12-31"),
    PresentedNumber("+442079460002", 3, "case 2", "2026-09-20"),  # the house opens on 2026-09-21
    PresentedNumber("+442079460003", 3, "case 3", "2026-09-21"),
    PresentedNumber("+442079460004", 3, "case 4"),
    PresentedNumber("+447700900*", 4, "case 5"),
    PresentedNumber("+4411349600*", 4, "case 6"),
)


@pytest.mark.parametrize(
    ("claimed", "shown", "rule"),
    cases(
        """
        # From            shown           rule
        alice             +441632960001   -
        01632960001       +441632960001   -
        01632960009       +441632960009   -
        +441632960009     +441632960009   -
        +442079460001     +442079460001   -
        +442079460002     +441632960001   undertaking_over
        +442079460003     +442079460003   -
        +442079460004     +442079460004   -
        +442079460009     +441632960001   not_own
        +441134960077     +441134960077   -
        +441134961077     +441632960001   not_own
        +447700900123     +441632960001   not_presentable
        +449098790123     +441632960001   not_presentable
        +448445670123     +441632960001   not_presentable
        +448705670123     +441632960001   not_presentable
        +448979012345     +441632960001   not_own
        """
    ),
)
def test_a_line_presents_its_own_and_what_it_has_an_undertaking_for(
    claimed: str, shown: str, rule: str
) -> None:
    house = House(
        conf=make_conf(trunks=[make_trunk("carrier", CARRIER)]),
        lines=[make_line("alice", settings=LineSettings(presents=PRESENTS))],
        numbers={"+441632960001": "alice", "+441632960009": "alice"},
    )
    alice, carrier = house.phone("alice", "192.0.2.10"), house.phone("carrier", CARRIER)
    alice.register()
    alice.invite("01632960123", from_=f"<sip:{claimed}@example.com>")
    house.run(2)
    (towards,) = carrier.requests_of("INVITE")
    if claimed == "+448979012345":  # no dialable number: it is not even read as a claim
        rule = ""
    assert towards.from_.uri == f"sip:{shown}@example.com"
    assert towards.headers.get("p-asserted-identity") == "<sip:+441632960001@example.com>"
    counted = {("", rule, "replaced"): 1} if rule else {}
    assert house.exchange.counts.cli_decisions == counted
    alice.hang_up()
    house.run(40)
    row = house.journal.cdrs()[0]
    assert (row.network_number, row.presentation_number) == ("+441632960001", shown)
    assert ("network number shown" in row.decisions) == bool(rule)


SECOND = "+441632960009"
OWN_SECOND = "<sip:01632960009@192.0.2.10>"


@pytest.mark.parametrize(
    ("sender", "fields", "shown"),
    [
        ("pbx", [("p-preferred-identity", OWN_SECOND)], "+441632960009"),
        ("pbx", [("p-asserted-identity", "<tel:+441632960009>")], "+441632960009"),
        ("200", [("remote-party-id", f'"Reception" {OWN_SECOND};party=calling;screen=no')], "+441632960009"),
        ("pbx", [("p-preferred-identity", OWN_SECOND), ("p-asserted-identity", "<sip:+442079460009@x>")], SECOND),
        ("pbx", [("p-asserted-identity", '"Front desk" <sip:200@192.0.2.10>')], "+441632960001"),
        ("pbx", [("p-asserted-identity", "<sip:+442079460009@x>")], "+441632960001"),  # somebody else's
        ("pbx", [("p-asserted-identity", "<<<")], "+441632960001"),
        ("pbx", [("p-asserted-identity", "")], "+441632960001"),
        ("01632960001", [("p-asserted-identity", OWN_SECOND)], "+441632960001"),  # From says it
        ("anonymous", [("p-asserted-identity", OWN_SECOND)], "anonymous"),
    ],
)
def test_a_pbx_may_say_beside_from_whom_to_show_and_never_whom_to_vouch_for(
    sender: str, fields: list[tuple[str, str]], shown: str
) -> None:
    house = House(
        conf=make_conf(trunks=[make_trunk("carrier", CARRIER)]),
        lines=[make_line("pbx", kind=LineKind.TRUNK)],
        numbers={"+441632960001": "pbx", "+441632960009": "pbx"},
    )
    pbx, carrier = house.phone("pbx", "192.0.2.10"), house.phone("carrier", CARRIER)
    pbx.register()
    pbx.invite("01632960123", from_=f"<sip:{sender}@example.com>", extra=fields)
    house.run(2)
    (towards,) = carrier.requests_of("INVITE")
    host = "anonymous.invalid" if shown == "anonymous" else "example.com"
    assert towards.from_.uri == f"sip:{shown}@{host}"
    assert towards.headers.get("p-asserted-identity") == "<sip:+441632960001@example.com>"


@pytest.mark.parametrize(
    ("claimed", "shown"), [("+12025550123", True), ("+442079460009", True), ("+449098790123", False)]
)
def test_an_undertaking_for_whoever_called_the_customer_is_for_any_number_that_may_be_shown(
    claimed: str, shown: bool
) -> None:
    (wanted,) = read_line_assignments(["presents+=*:4:letter of May"])
    house = House(
        conf=make_conf(trunks=[make_trunk("carrier", CARRIER)]),
        lines=[make_line("pbx", kind=LineKind.TRUNK, settings=changed_line_settings(LineSettings(), [wanted]))],
        numbers={"+441632960001": "pbx"},
    )
    pbx, carrier = house.phone("pbx", "192.0.2.10"), house.phone("carrier", CARRIER)
    pbx.register()
    pbx.invite("01632960123", from_=f"<sip:{claimed}@example.com>")
    house.run(2)
    (towards,) = carrier.requests_of("INVITE")
    assert towards.from_.uri == f"sip:{claimed if shown else '+441632960001'}@example.com"
    assert towards.headers.get("p-asserted-identity") == "<sip:+441632960001@example.com>"


def test_09_is_never_a_cli_even_where_it_is_the_lines_own_and_first_number() -> None:
    house = House(
        conf=make_conf(trunks=[make_trunk("carrier", CARRIER)]),
        lines=[make_line("alice"), make_line("bob", cli="+449098790001")],
        numbers={"+449098790000": "alice", "+441632960001": "alice"},
    )
    carrier = house.phone("carrier", CARRIER)
    for user, expected in (("alice", "+441632960001"), ("bob", "unavailable")):
        phone = house.phone(user, "192.0.2.10" if user == "alice" else "192.0.2.11")
        phone.register()
        phone.invite("01632960123")
        house.run(2)
        invite = carrier.requests_of("INVITE")[-1]
        assert invite.from_.uri == f"sip:{expected}@example.com"
        assert "449098790" not in str(invite.headers.items())


def test_a_customers_trunk_presents_any_number_of_its_own_and_no_other_lines() -> None:
    house = House(
        conf=make_conf(trunks=[make_trunk("carrier", CARRIER)]),
        lines=[make_line("pbx", kind=LineKind.TRUNK), make_line("bob")],
        numbers={"+441632960100": "pbx", "+441632960101": "pbx", "+441632960200": "bob"},
    )
    pbx, carrier = house.phone("pbx", "192.0.2.10"), house.phone("carrier", CARRIER)
    pbx.register()
    for claimed, shown in (("+441632960101", "+441632960101"), ("+441632960200", "+441632960100")):
        pbx.invite("01632960123", from_=f"<sip:{claimed}@example.com>")
        house.run(2)
        assert carrier.requests_of("INVITE")[-1].from_.uri == f"sip:{shown}@example.com"


def test_what_may_not_be_presented_is_the_operators_to_say() -> None:
    conf = make_conf(trunks=[make_trunk("carrier", CARRIER)])
    house = House(
        conf=msgspec.structs.replace(conf, cli=CliRules(never_presented=("+4411",))),
        lines=[make_line("alice", settings=LineSettings(presents=PRESENTS))],
        numbers={"+441632960001": "alice"},
    )
    alice, carrier = house.phone("alice", "192.0.2.10"), house.phone("carrier", CARRIER)
    alice.register()
    for claimed, shown in (("+441134960077", "+441632960001"), ("+447700900123", "+447700900123")):
        alice.invite("01632960123", from_=f"<sip:{claimed}@example.com>")
        house.run(2)
        assert carrier.requests_of("INVITE")[-1].from_.uri == f"sip:{shown}@example.com"


@pytest.mark.parametrize(
    ("dialled", "privacy", "is_set", "words"),
    [
        ("01632960123", "", True, "withheld by the line's setting"),
        ("14101632960123", "", False, "withheld by the caller for this call"),
        ("14101632960123", "", True, "withheld by the caller for this call"),
        ("01632960123", "id", False, "withheld by the caller for this call"),
        ("147001632960123", "id", True, ""),
        ("01632960123", "", False, ""),
    ],
)
def test_the_record_says_who_withheld(dialled: str, privacy: str, is_set: bool, words: str) -> None:
    house = House(
        conf=make_conf(trunks=[make_trunk("carrier", CARRIER)]),
        lines=[make_line("alice", withholds_cli=is_set)],
        numbers={"+441632960001": "alice"},
    )
    alice = house.phone("alice", "192.0.2.10")
    house.phone("carrier", CARRIER)
    alice.register()
    alice.invite(dialled, extra=[("privacy", privacy)] if privacy else [])
    house.run(2)
    alice.hang_up()
    house.run(40)
    row = house.journal.cdrs()[0]
    assert (row.privacy, row.decisions) == ("id" if words else "", words)
