"""What a called line does not want is refused before it rings; an emergency service that calls back always rings."""

import msgspec
import pytest

from provisioning.model import AccountChanged, LineChanged
from provisioning.settings import PLAIN_ACCOUNT, PLAIN_LINE, WITHHELD, AccountSettings, LineSettings
from switch.calls.emergency_callbacks import AWAITED_S, LINES_MAX, EmergencyCallbacks
from switch.calls.hidden_caller import hidden_caller
from switch.calls.identity import CallerId
from switch.calls.incoming_screen import incoming_refusal, outgoing_block
from switch.conf_trunks import Origin
from tests.switch.house import House, Phone, make_account, make_conf, make_line, make_trunk
from tests.switch.voicemail_stand_in import ALL, StandIn, to_voicemail, voicemail_conf
from tests.tables import cases

CARRIER = "192.0.2.50"
BOB = "+441632960002"
CALLER = "+441632960123"


def make_town(
    settings: LineSettings = PLAIN_LINE, account: AccountSettings = PLAIN_ACCOUNT, **bob: object
) -> tuple[House, Phone, Phone, Phone]:
    house = House(
        conf=make_conf(trunks=[make_trunk("carrier", CARRIER)]),
        lines=[make_line("alice"), make_line("bob", 2, settings=settings, **bob)],
        accounts=[make_account(1), make_account(2, settings=account)],
        numbers={"+441632960001": "alice", BOB: "bob"},
    )
    phones = (house.phone("alice", "192.0.2.10"), house.phone("bob", "192.0.2.11"))
    for phone in phones:
        phone.register()
        phone.statuses.clear()
    return house, *phones, house.phone("carrier", CARRIER)


def ring(house: House, carrier: Phone, *, privacy: str = "", extra: list[tuple[str, str]] = ()) -> int:
    """A call from CALLER; the final status."""
    headers = [("p-asserted-identity", f"<sip:{CALLER}@{CARRIER}>"), *extra]
    sender = f"<sip:{CALLER}@{CARRIER}>"
    if privacy:
        headers.append(("privacy", privacy))
        sender = "<sip:anonymous@anonymous.invalid>"
    carrier.invite(BOB, extra=headers, from_=sender)
    house.run(2)
    return carrier.statuses[-1]


@pytest.mark.parametrize(
    ("line", "account", "withheld", "status", "outcome", "cause"),
    cases(
        """
        # line                       account          withheld  status  outcome            cause
        -                            -                no        200     answered           16
        -                            -                yes       200     answered           16
        rejects_anonymous            -                no        200     answered           16
        rejects_anonymous            -                yes       433     anonymous_refused  24
        withheld                     -                no        200     answered           16
        withheld                     -                yes       433     anonymous_refused  24
        -                            withheld         yes       433     anonymous_refused  24
        +441632960123                -                no        403     caller_blocked     21
        +4416329601*                 -                no        403     caller_blocked     21
        +44163296*                   -                yes       200     answered           16
        -                            +441632960123    no        403     caller_blocked     21
        +441632960124                +44163296013*    no        200     answered           16
        hidden                       -                yes       403     caller_blocked     21
        hidden                       -                no        403     caller_blocked     21
        bars_incoming                -                no        403     incoming_barred    21
        does_not_disturb             -                no        480     do_not_disturb     20
        """
    ),
)
def test_a_line_refuses_what_it_has_set(
    line: str, account: str, withheld: str, status: str, outcome: str, cause: str
) -> None:
    house, _, bob, carrier = make_town()
    sign = house.exchange.board.sign
    switches = ("rejects_anonymous", "bars_incoming", "does_not_disturb")
    if line in switches:
        settings = LineSettings(**{line: True})
    elif line == "hidden":
        settings = LineSettings(hidden_callers=(hidden_caller(sign, CALLER),))
    else:
        settings = LineSettings(blocked_callers=(line,) if line else ())
    of_account = AccountSettings(blocked_callers=(account,) if account else ())
    house.exchange.apply_changes(
        [
            LineChanged(msgspec.structs.replace(house.exchange.books.lines["bob"], settings=settings)),
            AccountChanged(make_account(2, settings=of_account)),
        ],
        house.clock.now,
    )
    assert ring(house, carrier, privacy="id" if withheld == "yes" else "") == int(status)
    if carrier.dialogs:
        carrier.hang_up()
    house.run(40)
    row = house.journal.cdrs()[0]
    assert (row.outcome, row.q850_cause, row.cost_micros) == (outcome, int(cause), 0)
    assert bool(bob.requests_of("INVITE")) == (status == "200")
    house.assert_clean()


def test_433_says_so_in_its_reason_phrase_and_nothing_is_charged_to_a_line_that_calls() -> None:
    house, alice, bob, _ = make_town(LineSettings(rejects_anonymous=True))
    before = house.balance(1)
    alice.invite("14101632960002")
    house.run(2)
    response = alice.responses[-1]
    assert (response.status, response.reason) == (433, "Anonymity Disallowed")
    assert response.headers.get("reason").startswith("Q.850;cause=24")
    assert bob.requests == [] and house.balance(1) == before and house.journal.usage() == []
    house.assert_clean()


@pytest.mark.parametrize("is_carriers", [True, False])
def test_anonymous_callers_hear_why_carriers_callers_too(is_carriers: bool) -> None:
    conf = voicemail_conf(make_conf(trunks=[make_trunk("carrier", CARRIER)]))
    house = House(
        conf=conf,
        lines=[make_line("alice"), make_line("bob", settings=LineSettings(rejects_anonymous=True))],
        numbers={BOB: "bob"},
    )
    voicemail = StandIn(house)
    voicemail.ring_status, voicemail.answer, voicemail.answer_after_s = 183, 433, 2.0
    voicemail.ring_body = voicemail.answer_body
    alice, carrier = house.phone("alice", "192.0.2.10"), house.phone("carrier", CARRIER)
    alice.register()
    if is_carriers:
        status = ring(house, carrier, privacy="id")
        assert status == 183
    else:
        alice.invite("14101632960002")
    house.run(5)
    assert (carrier if is_carriers else alice).statuses[-1] == 433
    (invite,) = voicemail.requests_of("INVITE")
    assert invite.uri.startswith("sip:announce.anonymous-refused@")
    assert CALLER[3:] not in str(invite.headers.items())
    assert house.journal.cdrs()[0].outcome == "anonymous_refused"
    assert house.journal.cdrs()[0].cost_micros == 0
    house.assert_clean()


def test_who_is_not_to_be_disturbed_still_diverts_all_calls() -> None:
    house = House(
        conf=voicemail_conf(make_conf(trunks=[make_trunk("carrier", CARRIER)])),
        lines=[make_line("bob", settings=LineSettings(does_not_disturb=True), diverts=to_voicemail(ALL))],
        numbers={BOB: "bob"},
    )
    StandIn(house)
    assert ring(house, house.phone("carrier", CARRIER)) == 200


def test_an_emergency_service_that_says_so_is_never_refused() -> None:
    everything = LineSettings(
        rejects_anonymous=True, bars_incoming=True, does_not_disturb=True, blocked_callers=(WITHHELD, "+*")
    )
    callback = [("priority", "psap-callback")]
    house, _, _, carrier = make_town(everything)
    assert ring(house, carrier, privacy="id", extra=callback) == 200
    # Only carriers that take our emergency calls are believed.
    stranger = make_trunk("other", "192.0.2.60")
    conf = house.conf
    trunks = {**conf.trunks, "other": stranger}
    conf = make_conf(trunks=list(trunks.values()), routing=conf.routing)
    house = House(conf=conf, lines=[make_line("bob", settings=everything)], numbers={BOB: "bob"})
    house.phone("bob", "192.0.2.11").register()
    assert ring(house, house.phone("other", "192.0.2.60"), privacy="id", extra=callback) == 403


def test_after_an_emergency_call_from_the_line_everybody_gets_through_for_half_an_hour() -> None:
    house, _, bob, carrier = make_town(LineSettings(rejects_anonymous=True, does_not_disturb=True))
    assert ring(house, carrier, privacy="id") == 433
    bob.invite("999")
    house.run(2)
    bob.hang_up()
    house.run(2)
    assert ring(house, carrier, privacy="id") == 200
    carrier.hang_up()
    house.run(AWAITED_S)
    assert ring(house, carrier, privacy="id") == 433


def test_lines_that_called_an_emergency_service_are_limited_and_forgotten_in_time() -> None:
    callbacks = EmergencyCallbacks()
    for place in range(LINES_MAX + 5):
        callbacks.note(str(place), 0.0)
    assert callbacks.count == LINES_MAX
    assert not callbacks.is_awaited("4", 1.0) and callbacks.is_awaited("5", 1.0)
    callbacks.note("last", AWAITED_S + 1)
    assert callbacks.count == 1


def test_a_line_that_has_set_nothing_is_not_looked_into() -> None:
    house, *_ = make_town()
    board = house.exchange.board
    bob = board.books.lines["bob"]
    assert bob.settings is PLAIN_LINE and board.books.accounts[2].settings is PLAIN_ACCOUNT
    changed = msgspec.structs.replace(bob, settings=LineSettings())
    house.exchange.apply_changes([LineChanged(changed)], house.clock.now)
    assert board.books.lines["bob"].settings is PLAIN_LINE
    caller_id = CallerId("", "", is_withheld=True)
    assert incoming_refusal(bob, board.books.accounts[2], caller_id, board, 0.0) is None


@pytest.mark.parametrize(
    ("line", "account", "number", "is_blocked"),
    [
        ((), (), "+441632960123", False),
        (("+441632960123",), (), "+441632960123", True),
        (("+1*",), (), "+441632960123", False),
        ((), ("+44909*",), "+449098790123", True),
        (("118500",), (), "118500", True),
        (("+*",), (), "", False),
    ],
)
def test_destinations_are_blocked_by_line_and_account(
    line: tuple[str, ...], account: tuple[str, ...], number: str, is_blocked: bool
) -> None:
    caller = make_line("alice", settings=LineSettings(blocked_destinations=line))
    payer = make_account(1, settings=AccountSettings(blocked_destinations=account))
    assert (outgoing_block(caller, payer, number) is not None) == is_blocked


@pytest.mark.parametrize("dialled", ["01632960123", "01632960002"])
def test_a_blocked_destination_is_refused_and_emergency_calls_are_not(dialled: str) -> None:
    house, alice, bob, carrier = make_town()
    blocked = make_line("alice", settings=LineSettings(blocked_destinations=("+*", "999", "112")))
    house.exchange.apply_changes([LineChanged(blocked)], house.clock.now)
    alice.invite(dialled)
    house.run(2)
    assert alice.statuses[-1] == 403
    assert house.journal.cdrs()[0].outcome == "destination_blocked"
    assert bob.requests == [] and carrier.requests == []
    alice.invite("999")
    house.run(2)
    assert alice.statuses[-1] == 200


def test_the_hash_of_a_hidden_caller_tells_nothing_without_the_key() -> None:
    one, other = House(seed=1).exchange.board.sign, House(seed=2).exchange.board.sign
    assert hidden_caller(one, CALLER) != hidden_caller(other, CALLER)
    assert hidden_caller(one, CALLER) != hidden_caller(one, "+441632960124")
    assert CALLER[1:] not in hidden_caller(one, CALLER)


@pytest.mark.parametrize("is_withheld", [True, False])
def test_who_is_refused_once_is_refused_with_and_without_his_number(is_withheld: bool) -> None:
    house, _, _, carrier = make_town()
    ring(house, carrier, privacy="id" if is_withheld else "")
    carrier.hang_up()
    house.run(2)
    board = house.exchange.board
    last = board.last_calls.of("bob")
    assert last is not None
    number = "" if is_withheld else CALLER
    hidden = hidden_caller(board.sign, last.caller_id.network_number)
    assert CALLER[1:] not in hidden
    settings = LineSettings(blocked_callers=tuple(filter(None, [number])), hidden_callers=(hidden,))
    changed = msgspec.structs.replace(board.books.lines["bob"], settings=settings)
    house.exchange.apply_changes([LineChanged(changed)], house.clock.now)
    assert [ring(house, carrier, privacy=privacy) for privacy in ("", "id")] == [403, 403]


def test_the_origin_of_a_trunk_is_uk_unless_it_says_otherwise() -> None:
    assert make_trunk("one", CARRIER).origin is Origin.UK
