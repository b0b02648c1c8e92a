"""The door of a whole exchange: who is banned, who goes on all the same, and what nobody can bring about."""

import gc
import json
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from structlog.testing import capture_logs

from provisioning.model import DigestPolicy
from switch.conf_security import SCANNERS
from switch.door.sources import parse_network
from switch.sip import uri as uris
from switch.sip.flow import TCP
from switch.sip.message import Response
from tests.compiled import interpreted_only
from tests.switch.house import DOMAIN, House, make_conf, make_line, make_trunk
from tests.switch.strangers import GUESSER, Stranger, strict
from tests.switch.test_operator_surface import ask as ask_control
from tests.switch.test_operator_surface import metrics

LINES = ("alice", "bob")


def make_house(*, state: dict[str, bytes] | None = None, **security: object) -> House:
    conf = make_conf(trunks=[make_trunk("carrier", "192.0.2.50")], security=strict(**security))
    return House(conf=conf, lines=[make_line(user) for user in LINES], state=state)


def banned(house: House) -> list[str]:
    return [ban.source for ban in house.exchange.door.bans]


def dropped(house: House, reason: str) -> int:
    return house.exchange.sip_counts.dropped.get(reason, 0)


# Who is banned


@pytest.mark.parametrize("method", ["REGISTER", "INVITE"])
@pytest.mark.parametrize("user", ["alice", "nobody"])
def test_who_guesses_is_banned_and_hears_nothing_more(method: str, user: str) -> None:
    house = make_house()
    guesser = Stranger(house)
    statuses = [guesser.log_in(user, f"guess{n}", method) for n in range(8)]
    refused = 401 if method == "REGISTER" else 407
    assert statuses == [refused] * 5 + [0] * 3
    assert banned(house) == [GUESSER[0]]
    assert dropped(house, "banned source") == 3
    assert guesser.log_in(user, "secret", method) == 0
    for other in ("OPTIONS", "SUBSCRIBE", "MESSAGE", "BYE", "CANCEL", "NEWFANGLED"):
        assert guesser.ask(other) is None
        assert guesser.ask(other, to=f"<sip:alice@{DOMAIN}>;tag=none") is None
    assert (
        guesser.send(b"INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP x;branch=z9hG4bKq\r\nFrom: <<<\r\n\r\n")
        == []
    )
    assert house.exchange.stack.transactions_count == 0


def test_a_ban_is_over_when_its_time_is_and_then_a_right_password_is_right() -> None:
    house = make_house(ban_s=60)
    guesser = Stranger(house)
    for n in range(5):
        guesser.log_in("alice", f"guess{n}")
    assert guesser.log_in("alice", "secret") == 0
    house.run(61)
    assert guesser.log_in("alice", "secret") == 200


def test_a_ban_is_one_line_of_the_log_and_names_are_escaped_in_it() -> None:
    house = make_house()
    guesser = Stranger(house)
    with capture_logs() as logs:
        for _ in range(8):
            guesser.log_in("alice", "guess", login="\x1b[31mroot\x9b")
    (line,) = logs
    assert (line["event"], line["source"], line["failures"]) == ("source_banned", GUESSER[0], 5)
    assert line["users"] == ["\\x1b[31mroot\\x9b"]


def test_a_source_of_ipv6_is_its_64() -> None:
    house = make_house()
    for n in range(5):
        Stranger(house, (f"2001:db8:1:2::{n + 1}", 5060)).log_in("alice", f"guess{n}")
    assert banned(house) == ["2001:db8:1:2::/64"]
    assert Stranger(house, ("2001:db8:1:2:ffff::1", 5060)).ask("OPTIONS") is None
    assert Stranger(house, ("2001:db8:1:3::1", 5060)).ask("OPTIONS") is not None


def test_over_a_stream_a_banned_source_is_not_answered_either() -> None:
    house = make_house()
    guesser = Stranger(house, transport=TCP)
    assert [guesser.log_in("alice", f"guess{n}") for n in range(7)] == [401] * 5 + [0] * 2


# What nobody can bring about


def test_nobody_is_banned_by_failures_in_his_name() -> None:
    """A forger cannot read the challenge that goes to his victim; with one of his own he gets no further."""
    house = make_house()
    victim, forger = Stranger(house, ("203.0.113.9", 5060)), Stranger(house)
    challenge = forger.ask("REGISTER")
    assert challenge is not None
    line = forger.credentials(challenge, "REGISTER", user="alice", password="wrong")
    statuses = {victim.ask("REGISTER", fields=line).status for _ in range(50)}  # type: ignore[union-attr]
    assert statuses == {401}
    assert house.exchange.counts.logins == {"stale": 50}
    assert banned(house) == []
    assert victim.log_in("alice", "secret") == 200


def test_a_line_is_not_locked_by_who_guesses_it_from_everywhere() -> None:
    house = make_house()
    with capture_logs() as logs:
        for n in range(200):
            Stranger(house, (f"198.51.100.{n}", 5060)).log_in("alice", "guess")
    assert [entry["event"] for entry in logs] == ["line_attacked_from_many_sources"]
    assert logs[0]["line"] == "alice"
    assert metrics(house)["offhook_lines_attacked_total"] == 1
    assert banned(house) == []
    assert Stranger(house, ("203.0.113.9", 5060)).log_in("alice", "secret") == 200


def test_a_slow_guesser_of_one_line_is_shut_out_of_it_without_noticing() -> None:
    house = make_house(login_failures_per_line_max=20)
    guesser = Stranger(house)
    for n in range(20):
        assert guesser.log_in("alice", f"guess{n}") == 401
        house.run(20)
    assert guesser.log_in("alice", "secret") == 401
    assert house.exchange.counts.logins["shut_out"] == 1
    assert guesser.log_in("bob", "secret") == 200
    assert Stranger(house, ("203.0.113.9", 5060)).log_in("alice", "secret") == 200


def test_the_answer_to_a_right_and_a_wrong_password_is_one_while_a_line_is_shut() -> None:
    house = make_house(login_failures_per_line_max=3, login_failures_max=100)
    guesser = Stranger(house)
    for n in range(3):
        guesser.log_in("alice", f"guess{n}")
    shapes = []
    for password in ("secret", "wrong"):
        guesser.log_in("alice", password)
        (answer,) = guesser.send(guesser.last_sent)
        shapes.append([name for name, _ in answer.headers.items()])
    assert shapes[0] == shapes[1]


# Who goes on all the same


def test_a_phone_that_is_registered_goes_on_behind_a_banned_address() -> None:
    house = make_house()
    alice = Stranger(house, (GUESSER[0], 40_001))
    assert alice.log_in("alice", "secret") == 200
    for n in range(5):
        Stranger(house, (GUESSER[0], 50_000 + n)).log_in("bob", f"guess{n}")
    assert banned(house) == [GUESSER[0]]
    assert Stranger(house, (GUESSER[0], 40_002)).log_in("alice", "secret") == 0
    assert alice.log_in("alice", "secret") == 200
    challenge = alice.ask("INVITE", uri=f"sip:bob@{DOMAIN}")
    assert challenge is not None and challenge.status == 407


def test_from_a_flow_that_is_spared_no_other_line_can_be_guessed() -> None:
    """A customer who attacks his neighbours from his own phone's port."""
    house = make_house()
    alice = Stranger(house)
    assert alice.log_in("alice", "secret") == 200
    for n in range(5):
        assert alice.log_in("bob", f"guess{n}") == 401
    assert banned(house) == [GUESSER[0]]
    assert alice.log_in("bob", "secret") == 401
    assert house.exchange.bindings.of("bob", house.clock.now) == []
    assert alice.log_in("alice", "secret") == 200


def test_an_emergency_call_passes_from_the_flow_of_a_live_binding_at_a_banned_address() -> None:
    house = make_house()
    carrier = house.phone("carrier", "192.0.2.50")
    alice = house.phone("alice", GUESSER[0])
    alice.register()
    for n in range(5):
        Stranger(house, (GUESSER[0], 50_000 + n)).log_in("bob", f"guess{n}")
    assert banned(house) == [GUESSER[0]]
    alice.password = "lost"
    alice.invite("999")
    house.run(3)
    assert carrier.requests_of("INVITE")
    assert 200 in alice.statuses
    stranger = Stranger(house, (GUESSER[0], 50_999))
    assert stranger.ask("INVITE", uri=f"sip:999@{DOMAIN}") is None


def test_a_call_that_is_up_goes_on_when_its_address_is_banned() -> None:
    house = make_house()
    carrier = house.phone("carrier", "192.0.2.50")
    alice = house.phone("alice", GUESSER[0])  # not registered: it only calls
    alice.invite("07700900123")
    house.run(3)
    for n in range(5):
        Stranger(house, (GUESSER[0], 50_000 + n)).log_in("bob", f"guess{n}")
    assert banned(house) == [GUESSER[0]]
    alice.hang_up()
    house.run(40)
    assert carrier.requests_of("BYE")
    house.assert_clean()


@pytest.mark.parametrize(
    "exempt",
    [
        lambda house: Stranger(house, ("192.0.2.50", 5060)),  # a trunk
        lambda house: Stranger(house, ("203.0.113.7", 5060)),
        lambda house: Stranger(house, ("2001:db8:5::1", 5060)),
    ],
)
def test_trunks_and_who_is_listed_are_never_banned(exempt: Callable[[House], Stranger]) -> None:
    networks = (parse_network("203.0.113.0/28"), parse_network("2001:db8:5::/48"))
    house = make_house(never_ban=networks)
    caller = exempt(house)
    assert [caller.log_in("alice", f"guess{n}") for n in range(30)] == [401] * 30
    assert banned(house) == []
    assert caller.log_in("alice", "secret") == 200


# Scanners that say so


@pytest.mark.parametrize("agent", [*SCANNERS, "Friendly-Scanner", "sipcli/v1.8"])
def test_a_scanner_that_says_so_gets_no_answer(agent: str) -> None:
    house = make_house()
    scanner = Stranger(house)
    for method in ("OPTIONS", "REGISTER", "INVITE", "SUBSCRIBE", "NEWFANGLED"):
        assert scanner.ask(method, agent=agent) is None
    assert dropped(house, "scanner") == 5
    assert Stranger(house).ask("OPTIONS", agent=f"not {agent}") is not None


def test_a_scanner_is_not_even_told_what_is_wrong_with_its_request() -> None:
    house = make_house()
    scanner = Stranger(house)
    broken = [
        b"REGISTER sip:a SIP/2.0\r\nVia: SIP/2.0/UDP x;rport;branch=z9hG4bKq\r\nUser-Agent: sip-cli\r\n\r\n",
        b"INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP x;branch=z9hG4bKq\r\nFrom: <<<\r\nUser-Agent: sipcli\r\n\r\n",
    ]
    for data in broken:
        assert scanner.send(data) == []
        assert len(scanner.send(data.replace(b"sip", b"zip").replace(b"zip:", b"sip:"))) == 1


def test_an_ack_that_matches_nothing_is_ignored_whoever_sends_it() -> None:
    house = make_house()
    ack = Stranger(house).request("ACK", "0", to=f'"0" <sip:0@{DOMAIN}>;tag=FeKp6ctrcyN3N')
    assert Stranger(house).send(ack.replace(b" ACK\r\n", b"  ACK\r\n")) == []
    assert house.exchange.counts.bugs == 0
    assert dropped(house, "stray ACK") == 1


def test_a_user_part_of_odd_but_legal_characters_is_nobody() -> None:
    house = make_house()
    alice = house.phone("alice", "192.0.2.10")
    odd = f"sip:-TX%26FIRST60DAYS/R-REVIEW***PEND?-CLOSE@{DOMAIN}"
    assert Stranger(house).ask("INVITE", "alice", uri=odd).status == 407  # type: ignore[union-attr]
    alice.invite("", uri=odd)
    house.run(2)
    assert alice.statuses[0] == 407 and alice.statuses[1:] in ([404], [484])
    house.assert_clean()


def test_which_scanners_are_not_answered_is_the_operators_choice() -> None:
    house = make_house(scanner_user_agents=())
    assert Stranger(house).ask("OPTIONS", agent="friendly-scanner") is not None
    house.exchange.take_over(make_conf(security=strict(scanner_user_agents=("evil",))), 0.0)
    assert Stranger(house).ask("OPTIONS", agent="EVIL phone") is None


def test_a_registered_phone_may_be_called_what_it_likes() -> None:
    house = make_house()
    alice = Stranger(house)
    assert alice.log_in("alice", "secret") == 200
    assert alice.ask("OPTIONS", agent="sipcli") is not None


# The operator


def test_the_operator_sees_bans_and_lifts_them() -> None:
    house = make_house()
    guesser = Stranger(house)
    for n in range(5):
        guesser.log_in(f"10{n}", "guess")
    (row,) = ask_control(house, command="bans")["result"]
    assert (row["source"], row["line"], row["reason"]) == (GUESSER[0], "", "wrong logins")
    assert (row["failures"], row["times"]) == (5, 1)
    assert row["users"] == ["100", "101", "102", "103", "104"]
    assert row["until_ms"] - row["since_ms"] == 300_000
    assert ask_control(house, command="lift_ban", address="192.0.2.99")["ok"] is False
    assert ask_control(house, command="lift_ban", address=GUESSER[0]) == {"ok": True, "result": 1}
    assert ask_control(house, command="bans")["result"] == []
    assert guesser.log_in("alice", "secret") == 200


def test_the_operator_bans_by_hand() -> None:
    house = make_house()
    assert ask_control(house, command="ban", address="2001:db8:9::5", for_s=60)["result"] == "2001:db8:9::/64"
    assert Stranger(house, ("2001:db8:9::7", 5060)).ask("OPTIONS") is None
    house.run(61)
    assert Stranger(house, ("2001:db8:9::7", 5060)).ask("OPTIONS") is not None
    for address, for_s in (
        ("nobody", 60),
        ("", 60),
        ("192.0.2.0/24", 60),
        (GUESSER[0], 0),
        (GUESSER[0], 10**9),
    ):
        assert ask_control(house, command="ban", address=address, for_s=for_s)["ok"] is False
    ask_control(house, command="ban", address="203.0.113.4", for_s=60)
    assert ask_control(house, command="lift_ban")["result"] == 1


def test_bans_are_measured() -> None:
    house = make_house()
    guesser = Stranger(house)
    for n in range(7):
        guesser.log_in("alice", f"guess{n}")
    Stranger(house).ask("OPTIONS", agent="sipvicious")
    seen = metrics(house)
    assert seen["offhook_bans"] == 1
    assert seen['offhook_bans_begun_total{reason="wrong logins"}'] == 1
    assert seen['offhook_sip_dropped_total{reason="banned source"}'] == 3
    assert seen["offhook_answer_budgets"] == 1


def test_a_ban_outlives_a_restart_and_a_lifted_one_does_not_come_back() -> None:
    house = make_house()
    guesser = Stranger(house)
    for n in range(5):
        guesser.log_in("alice", f"guess{n}", login="\udcff\x1b[31m")
    again = make_house(state=house.journal.state)
    assert Stranger(again).ask("OPTIONS") is None
    (row,) = ask_control(again, command="bans")["result"]
    json.dumps(row["users"]).encode()
    assert ask_control(again, command="lift_ban")["ok"]
    third = make_house(state=again.journal.state)
    assert Stranger(third).ask("OPTIONS") is not None
    assert [key for key in again.journal.state if key.startswith("x/")] == []


def test_a_ban_that_cannot_be_read_stops_nothing() -> None:
    house = make_house(state={"x/198.51.100.7": b"\xff\xff"})
    assert Stranger(house).ask("OPTIONS") is not None


# The same answer for everybody


@pytest.mark.parametrize("policy", DigestPolicy)
@pytest.mark.parametrize(
    "method", ["REGISTER", "INVITE", "SUBSCRIBE", "MESSAGE", "OPTIONS", "PUBLISH", "REFER", "NOTIFY"]
)
def test_no_answer_tells_whether_a_line_exists(method: str, policy: DigestPolicy) -> None:
    """Neither as the sender nor as who is asked for: the same status, fields and length."""
    house = House(
        conf=make_conf(), lines=[make_line("1000", digest=policy), make_line("1002", digest=policy)]
    )
    stranger = Stranger(house)
    house.phone("1000", "192.0.2.10").register()
    seen = set()
    for sender in ("1000", "1001", "1002"):
        for asked in ("1000", "1001", "1002"):
            answer = stranger.ask(method, sender, uri=f"sip:{asked}@{DOMAIN}", to=f"<sip:{asked}@{DOMAIN}>")
            assert answer is not None
            seen.add((answer.status, answer.reason, tuple(name for name, _ in answer.headers.items())))
    assert len(seen) == 1


def steps_of(act: Callable[[], object]) -> list[str]:
    """Every function entered, ours and Python's own, in order. What the garbage collector calls is nobody's step."""
    taken: list[str] = []

    def note(frame: Any, event: str, argument: Any) -> None:
        if event == "c_call":
            taken.append(argument.__qualname__)
        elif event == "call":
            taken.append(frame.f_code.co_qualname)

    before = sys.getprofile()
    gc.disable()
    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(before)
        gc.enable()
    return taken


def steps_of_guessing(method: str, policy: DigestPolicy) -> list[list[list[str]]]:
    """For a line and for nobody: a request without credentials, then one with a wrong password."""
    house = House(conf=make_conf(), lines=[make_line("alice", digest=policy)])
    # From here on the counters of this outcome are there.
    Stranger(house, ("203.0.113.3", 5060)).log_in("first", "wrong", method)
    seen = []
    for n, user in enumerate(("alice", "nobod")):
        stranger = Stranger(house, (f"203.0.113.{n + 1}", 5060))
        answers: list[list[Response]] = []
        steps = []
        for password in ("", "wrong"):
            fields = password and stranger.credentials(answers[0][0], method, user=user, password=password)
            data = stranger.request(method, user, fields=fields)
            steps.append(steps_of(partial(_keep, answers, stranger, data)))
        seen.append(steps)
    assert house.exchange.counts.logins == {"wrong": 3}
    return seen


def _keep(answers: list[list[Response]], stranger: Stranger, data: bytes) -> None:
    answers.append(stranger.send(data))


@interpreted_only
@pytest.mark.parametrize("method", ["REGISTER", "INVITE"])
@pytest.mark.parametrize("policy", DigestPolicy)
def test_a_stranger_costs_the_exchange_the_same_steps_as_a_line(method: str, policy: DigestPolicy) -> None:
    """From the datagram to the answer. The first time fills what the parser remembers of texts seen before."""
    uris._uris.clear()
    uris._name_addrs.clear()
    steps_of_guessing(method, policy)
    line, nobody = steps_of_guessing(method, policy)
    assert line == nobody
    assert all(len(steps) > 100 for steps in line)


def test_options_for_another_domain_is_404_but_for_a_trunk() -> None:
    house = make_house()
    elsewhere = "sip:alice@elsewhere.example"
    answer = Stranger(house).ask("OPTIONS", uri=elsewhere)
    assert answer is not None and answer.status == 404
    answer = Stranger(house, ("192.0.2.50", 5060)).ask("OPTIONS", uri=elsewhere)
    assert answer is not None and answer.status == 200
