"""Callers' numbers as carriers give them: the rules as tables, and what no rule may ever do."""

from string import ascii_letters, digits

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.calls.cli_policy import RULES, screen_claim
from switch.calls.identity import CallerId, Claim, CliDecision, trunk_claim
from switch.calls.number_plan import NumberFormat, NumberPlan
from switch.conf_cli import Action, CliRules, MissingAction
from switch.conf_trunks import Origin, Trunk
from switch.sip.message import Request
from switch.sip.parser import parse_message
from tests.switch.house import House, Phone, make_conf, make_line, make_trunk
from tests.tables import cases

PLAN = NumberPlan()
LISTED = "+441632960666"
RULES_WITH_LIST = CliRules(listed=frozenset({LISTED}))
CARRIER, ABROAD = "192.0.2.50", "192.0.2.51"


def trunk(origin: str, number_format: str = "e164_plus") -> Trunk:
    return Trunk(name="t", origin=Origin(origin), inbound_number_format=NumberFormat(number_format))


def invite(*, from_: str, pai: str = "", extra: str = "") -> Request:
    lines = [
        "INVITE sip:+441632960001@example.com SIP/2.0",
        "Via: SIP/2.0/UDP 192.0.2.50;branch=z9hG4bK1",
        f"From: {from_};tag=1",
        "To: <sip:+441632960001@example.com>",
        "Call-ID: 1@192.0.2.50",
        "CSeq: 1 INVITE",
    ]
    if pai:
        lines.append(f"P-Asserted-Identity: {pai}")
    if extra:
        lines.append(extra)
    message = parse_message(("\r\n".join(lines) + "\r\nContent-Length: 0\r\n\r\n").encode())
    assert isinstance(message, Request)
    return message


def screened(
    from_: str,
    pai: str,
    origin: str,
    rules: CliRules = RULES_WITH_LIST,
    extra: str = "",
    number_format: str = "e164_plus",
) -> tuple[CallerId, CliDecision]:
    carrier = trunk(origin, number_format)
    sender = "<sip:anonymous@anonymous.invalid>" if from_ == "anonymous" else f"<sip:{from_}@192.0.2.50>"
    request = invite(from_=sender, pai=f"<sip:{pai}@192.0.2.50>" if pai else "", extra=extra)
    return screen_claim(trunk_claim(request, carrier, PLAN), carrier, rules, PLAN)


@pytest.mark.parametrize(
    ("from_", "pai", "origin", "rule", "action"),
    cases(
        """
        # from             pai             origin         rule                 action
        +441632960123      +441632960123   uk             -                    -
        +441632960123      -               uk             -                    -
        01632960123        01632960123     uk             -                    -
        +441632960123      +441632960123   international  uk_from_abroad       block
        +441632960123      +12025550123    international  uk_from_abroad       block
        +12025550123       +441632960123   international  uk_from_abroad       block
        +12025550123       +12025550123    international  -                    -
        +353201234567      -               international  -                    -
        +447700900123      +447700900123   international  intl_447_policy      withhold
        +447700900123      -               international  intl_447_policy      withhold
        +447700900123      +441632960123   international  uk_from_abroad       block
        +447700900123      +447700900123   uk             -                    -
        # 070 and 076 are no mobiles
        +447012345678      +447012345678   international  uk_from_abroad       block
        +447612345678      +447612345678   international  uk_from_abroad       block
        # 09 is never a CLI
        +449098790123      +449098790123   uk             premium              block
        +449098790123      +449098790123   international  premium              block
        +441632960123      +449098790123   uk             premium              block
        +449098790123      +441632960123   uk             premium              block
        # no number, or no UK number's length
        1234               1234            uk             invalid              block
        +441632960123      1234            uk             invalid              block
        1234               +441632960123   uk             invalid              block
        1234               -               uk             invalid              block
        +44163296          +44163296       uk             invalid              block
        +4416329601234     +4416329601234  uk             invalid              block
        +448001111         +448001111      uk             invalid              block
        +44016329601234    -               uk             invalid              block
        # ranges that nobody has
        +441081234567      +441081234567   uk             not_in_use           block
        +445001234567      +445001234567   uk             not_in_use           block
        +446001234567      +446001234567   uk             not_in_use           block
        # numbers that make no calls
        +441632960666      +441632960123   uk             do_not_originate     block
        +441632960123      +441632960666   uk             do_not_originate     block
        +441632960666      -               international  do_not_originate     block
        # no number at all
        anonymous          -               uk             missing              pass
        unavailable        -               uk             missing              pass
        alice              -               international  missing_from_abroad  block
        anonymous          -               international  missing_from_abroad  block
        anonymous          +441632960123   uk             -                    -
        anonymous          +441632960123   international  uk_from_abroad       block
        anonymous          +447700900123   international  intl_447_policy      withhold
        # another network's stand-in
        +441632960123      +448979012345   uk             -                    -
        unavailable        +448979012345   uk             -                    -
        +448979012345      +448979012345   international  uk_from_abroad       block
        """
    ),
)
def test_a_carriers_number_meets_the_rules(from_: str, pai: str, origin: str, rule: str, action: str) -> None:
    caller_id, decision = screened(from_, pai, origin)
    assert (decision.rule, decision.action) == (rule, action)
    assert (decision.refused is not None) == (action == "block")
    if decision.refused is not None:
        assert (decision.refused.label, decision.refused.status, decision.refused.q850_cause) == (
            "cli_blocked",
            403,
            21,
        )
        assert decision.refused.words.startswith(f"{rule}: ")
    assert caller_id.is_withheld == (from_ == "anonymous" or action == "withhold")
    assert decision.refused is not None or not caller_id.presentation_number.startswith("+448979")


@pytest.mark.parametrize(
    ("extra", "is_withheld"),
    [
        ("Privacy: id", True),
        ("Privacy: history\r\nPrivacy: id", True),
        ("Privacy: session;ID;critical", True),
        ("Privacy: none", False),
        ("Privacy: history", False),
        ("Remote-Party-ID: <sip:+441632960123@192.0.2.50>;party=calling;privacy=full", True),
        ('Remote-Party-ID: <sip:+441632960123@192.0.2.50>;Privacy="uri"', True),
        ("Remote-Party-ID: <sip:+441632960123@192.0.2.50>;privacy=off", False),
        ("Remote-Party-ID: <sip:+441632960123@192.0.2.50;privacy=full", True),  # broken, and the safer way
    ],
)
@pytest.mark.parametrize("pai", ["+441632960123", ""])
def test_a_carrier_says_in_several_ways_that_the_number_is_withheld(extra: str, pai: str, is_withheld: bool) -> None:
    caller_id, _ = screened("+441632960123", pai, "uk", extra=extra)
    assert caller_id.is_withheld is is_withheld
    assert caller_id.network_number == "+441632960123"


@pytest.mark.parametrize(
    ("number_format", "written", "number"),
    cases(
        """
        # format         written          number
        e164_plus        +441632960123    +441632960123
        e164_plus        441632960123     +441632960123
        e164_plus        +01632960123     +441632960123
        national         1632960123       +441632960123
        international_00 441632960123     +441632960123
        e164             12025550123      +12025550123
        e164_plus        12025550123      -
        """
    ),
)
def test_numbers_are_read_as_the_carrier_writes_them(number_format: str, written: str, number: str) -> None:
    caller_id, decision = screened(written, written, "uk", number_format=number_format)
    assert decision.rule == ("" if number else "invalid")
    assert (caller_id.network_number, caller_id.presentation_number) == (number, number)


@pytest.mark.parametrize(
    ("rule", "action", "from_", "pai", "network", "presentation", "withheld"),
    cases(
        """
        # rule            action   from           pai            network        presentation   withheld
        premium           pass     +449098790123  +441632960123  +441632960123  +449098790123  no
        premium           strip    +449098790123  +441632960123  +441632960123  -              no
        premium           strip    +441632960123  +449098790123  +448979000001  +441632960123  no
        premium           strip    +449098790123  +449098790123  +448979000001  -              no
        premium           withhold +449098790123  +441632960123  +441632960123  +449098790123  yes
        premium           block    +449098790123  +441632960123  +441632960123  +449098790123  no
        missing           pass     unavailable    -              +448979000001  -              no
        invalid           strip    1234           +441632960123  +441632960123  -              no
        """
    ),
)
def test_each_action_leaves_of_the_numbers_what_it_says(
    rule: str, action: str, from_: str, pai: str, network: str, presentation: str, withheld: str
) -> None:
    kind = MissingAction if rule == "missing" else Action
    rules = msgspec.structs.replace(RULES_WITH_LIST, inserted_number="+448979000001", **{rule: kind(action)})
    caller_id, decision = screened(from_, pai, "uk", rules)
    assert (decision.rule, decision.action) == (rule, action)
    assert (caller_id.network_number, caller_id.presentation_number) == (network, presentation)
    assert caller_id.is_withheld == (withheld == "yes")


def test_the_harder_action_of_two_broken_rules_is_the_verdict() -> None:
    rules = CliRules(premium=Action.STRIP, invalid=Action.WITHHOLD)
    caller_id, decision = screened("1234", "+449098790123", "uk", rules)
    assert (decision.rule, decision.action) == ("premium", "strip")
    assert (caller_id.network_number, caller_id.is_withheld) == ("", True)


NUMBERS = st.one_of(
    st.sampled_from(
        [
            "",
            "1234",
            "+441632960123",
            "+447700900123",
            "+449098790123",
            LISTED,
            "+448979012345",
            "+12025550123",
        ]
    ),
    st.text(alphabet=digits + "+", max_size=16),
    st.text(alphabet=ascii_letters + digits + "+.-_~", max_size=20),
)
SOME_RULES = st.builds(
    CliRules,
    **{rule: st.sampled_from(MissingAction if rule.startswith("missing") else Action) for rule in RULES},
    inserted_number=st.sampled_from(["", "+448979000001"]),
    listed=st.just(frozenset({LISTED})),
)


@given(from_=NUMBERS, pai=NUMBERS, origin=st.sampled_from(["uk", "international"]), rules=SOME_RULES)
def test_whatever_a_carrier_says_the_words_name_no_number_and_hidden_stays_hidden(
    from_: str, pai: str, origin: str, rules: CliRules
) -> None:
    sender = from_ or "anonymous"
    request = invite(
        from_=f"<sip:{sender}@192.0.2.50>", pai=f"<sip:{pai}@192.0.2.50>" if pai else "", extra="Privacy: id"
    )
    carrier = trunk(origin)
    claim = trunk_claim(request, carrier, PLAN)
    caller_id, decision = screen_claim(claim, carrier, rules, PLAN)
    assert claim.is_withheld and caller_id.is_withheld
    words = decision.words + (decision.refused.words if decision.refused is not None else "")
    for number in (caller_id.network_number, caller_id.presentation_number, from_, pai):
        if len(number) > 4:
            assert number not in words and number.lstrip("+") not in words
    assert decision.rule == "" or decision.rule in RULES


@given(
    claim=st.builds(Claim, NUMBERS, NUMBERS, st.booleans(), st.booleans(), st.booleans()),
    origin=st.sampled_from(["uk", "international"]),
    rules=SOME_RULES,
)
def test_an_emergency_service_that_calls_back_passes_every_rule(
    claim: Claim, origin: str, rules: CliRules
) -> None:
    _, decision = screen_claim(claim, trunk(origin), rules, PLAN, is_emergency_callback=True)
    assert decision.refused is None


# In calls


def make_town(**line: object) -> tuple[House, Phone, Phone, Phone]:
    conf = make_conf(
        trunks=[
            make_trunk("carrier", CARRIER),
            make_trunk("abroad", ABROAD, origin=Origin.INTERNATIONAL),
        ]
    )
    house = House(
        conf=msgspec.structs.replace(conf, cli=RULES_WITH_LIST),
        lines=[make_line("alice", **line)],
        numbers={"+441632960001": "alice"},
    )
    alice = house.phone("alice", "192.0.2.10")
    alice.register()
    return house, alice, house.phone("carrier", CARRIER), house.phone("abroad", ABROAD)


def call(house: House, carrier: Phone, number: str, dialled: str = "+441632960001") -> None:
    pai = ("p-asserted-identity", f"<sip:{number}@{ABROAD}>")
    carrier.invite(dialled, extra=[pai], from_=f"<sip:{number}@{ABROAD}>")
    house.run(2)


def test_a_uk_number_from_abroad_is_blocked_counted_and_on_record() -> None:
    house, alice, _, abroad = make_town()
    call(house, abroad, "+441632960123")
    assert abroad.statuses == [403]
    assert 'cause=21;text="uk_from_abroad: ' in abroad.responses[-1].headers.get("reason")
    assert alice.requests == []
    (row,) = house.journal.cdrs()
    assert (row.outcome, row.sip_status, row.q850_cause) == ("cli_blocked", 403, 21)
    assert row.reason == "uk_from_abroad: a UK number on a call from abroad"
    assert row.decisions == "cli uk_from_abroad: block"
    assert row.network_number == "+441632960123"
    assert house.exchange.counts.cli_decisions == {("abroad", "uk_from_abroad", "block"): 1}
    assert house.exchange.counts.refusals == {"cli_blocked": 1}
    house.assert_clean()


def test_a_uk_mobile_from_abroad_gets_through_without_its_number() -> None:
    house, alice, _, abroad = make_town()
    call(house, abroad, "+447700900123")
    assert abroad.statuses[-1] == 200
    (invite_,) = alice.requests_of("INVITE")
    assert invite_.from_.uri == "sip:anonymous@anonymous.invalid"
    abroad.hang_up()
    house.run(40)
    row = house.journal.cdrs()[0]
    assert (row.outcome, row.privacy, row.decisions) == ("answered", "id", "cli intl_447_policy: withhold")
    assert house.exchange.counts.cli_decisions == {("abroad", "intl_447_policy", "withhold"): 1}
    house.assert_clean()


def test_the_blocked_number_is_looked_at_before_where_the_call_goes() -> None:
    house, _, carrier, _ = make_town()
    call(house, carrier, LISTED, "+441632960555")
    assert carrier.statuses[-1] == 403
    assert house.journal.cdrs()[0].outcome == "cli_blocked"


@pytest.mark.parametrize("number", [LISTED, "+449098790123", "1234", "+441081234567"])
@pytest.mark.parametrize("dialled", ["999", "112", "+44999"])
def test_a_carriers_emergency_call_is_never_refused_for_its_number(number: str, dialled: str) -> None:
    """It meets the ladder like any number that is not assigned here, since carriers reach only those."""
    house, _, _, abroad = make_town()
    call(house, abroad, number, dialled)
    (row,) = house.journal.cdrs()
    assert row.outcome in ("number_not_assigned", "trunk_to_trunk")
    assert house.exchange.counts.cli_decisions == {}


def test_a_call_without_a_number_carries_the_stand_in_to_carriers_and_nothing_to_lines() -> None:
    stand_in = "+448979000001"
    conf = make_conf(trunks=[make_trunk("carrier", CARRIER)])
    house = House(
        conf=msgspec.structs.replace(conf, cli=CliRules(inserted_number=stand_in)),
        lines=[make_line("alice"), make_line("bob")],
        numbers={"+441632960001": "bob"},
    )
    alice, bob, carrier = (
        house.phone("alice", "192.0.2.10"),
        house.phone("bob", "192.0.2.11"),
        house.phone("carrier", CARRIER),
    )
    alice.register()
    bob.register()
    alice.invite("01632960123")
    house.run(2)
    (towards,) = carrier.requests_of("INVITE")
    assert towards.headers.get("p-asserted-identity") == f"<sip:{stand_in}@example.com>"
    assert towards.from_.uri == "sip:unavailable@example.com"
    alice.invite("01632960001")
    carrier.invite("+441632960001", from_="<sip:unavailable@192.0.2.50>")
    house.run(2)
    for received in bob.requests_of("INVITE"):
        assert stand_in[1:] not in str(received.headers.items())
    alice.invite("999")
    house.run(2)
    emergency = carrier.requests_of("INVITE")[-1]
    assert "p-asserted-identity" not in emergency.headers
