"""What a running switch tells its operator: the control socket's answers and the metrics, without a process."""

import asyncio
import json
from collections.abc import Callable

import msgspec
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from offhook.live_view import fact_rows
from provisioning.model import Number, NumberChanged
from switch.conf_addresses import TrunkAddress
from switch.conf_trunks import Trunk
from switch.conf_values import Secret
from switch.control import Control
from switch.edge.messages import CertificateState, EdgeCounts, TransportCounts
from switch.edge_view import edge_status
from switch.events.message_summary import MessageCount
from switch.journey.moves import Place, PlaceKind, Queue, Strategy
from switch.metrics import SwitchCollector
from switch.process import BooksState
from switch.sip.counts import Histogram
from switch.trunks.view import trunk_views
from switch.voicemail_metrics import voicemail_status
from tests.switch.events.watcher import Watch, pidf, publish
from tests.switch.house import EXCHANGE, House, Phone, make_conf, make_line, make_trunk
from tests.switch.voicemail_stand_in import UNREACHABLE, StandIn, to_voicemail, voicemail_conf


class StillJournal:
    pending_frames = 3
    commit_latency_s = 0.004
    is_ready = True
    epoch = "e1"


class RunningTurns:
    def __init__(self, house: House) -> None:
        self.udp_listeners: list[object] = []
        self._house = house

    def take(self, step: Callable[[float], object]) -> None:
        step(self._house.clock.now)


class Running:
    """What Control and the metrics see of a process."""

    def __init__(self, house: House) -> None:
        self.exchange = house.exchange
        self.journal = StillJournal()
        self.books_state = BooksState(is_up=True, records_shipped=7, quarantined=3)
        self.turns = RunningTurns(house)
        self.edge_counts = EdgeCounts(
            refused_websocket=4,
            transports=[TransportCounts("TLS", connections=2, accepted=3)],
            certificates=[CertificateState("full.pem", ("sip.example.com",), 1_800_000_000.0)],
            files_refused={"new.pem": "key values mismatch"},
        )
        self.unshipped_batches = 2
        self.reload_failures = 1
        self.loop_lag = Histogram()
        self.link_reconnects = {"edge": 0, "relay": 2}
        self.traces = None
        self._house = house

    def now(self) -> float:
        return self._house.clock.now

    is_journal_failing = False
    edge_state = "connected"

    def not_ready_reason(self) -> str:
        return ""

    async def reload(self) -> dict[str, object]:
        return {"loaded": True}


@pytest.fixture
def house() -> House:
    return House(conf=make_conf(trunks=[make_trunk("carrier", "192.0.2.50")]), lines=[make_line("alice")])


@pytest.fixture
def alice(house: House) -> Phone:
    house.phone("carrier", "192.0.2.50")
    phone = house.phone("alice", "192.0.2.10")
    phone.register()
    phone.invite("07700900123")
    house.run(10)
    return phone


def ask(house: House, **question: object) -> dict[str, object]:
    control = Control(Running(house))  # type: ignore[arg-type]
    answer = asyncio.run(control._answer(json.dumps(question).encode()))
    return json.loads(
        json.dumps(answer, default=lambda row: {name: getattr(row, name) for name in row.__struct_fields__})
    )


def test_a_live_call_is_shown_with_its_cost_so_far(house: House, alice: Phone) -> None:
    (row,) = ask(house, command="calls")["result"]
    assert (row["caller"], row["destination"], row["state"]) == ("alice", "+447700900123", "up")
    assert (row["account"], row["account_id"]) == ("account1", 1)
    assert row["duration_s"] == 9
    assert row["cost_micros"] == 10_000 + 10 * 1000


def test_queues_are_shown_the_fullest_first_and_counted(house: House) -> None:
    row = Queue("main/sales", (Place(PlaceKind.LINE, "alice"),), Strategy.IN_ORDER, 20, 1, 60, "", says_position=True)
    queues, now = house.exchange.board.queues, house.clock.now
    queues.enter(1, msgspec.structs.replace(row, name="main/empty"), "one", now)
    queues.answered("one")
    assert queues.enter(9, row, "two", now) == 1
    assert queues.enter(9, row, "three", now) == 0
    house.run(7)
    first, second = ask(house, command="queues")["result"]
    assert (first["account"], first["waiting"], first["longest_wait_s"], first["turned_away"]) == ("9", 1, 7, 1)
    assert (second["account"], second["name"], second["answered"]) == ("account1", "main/empty", 1)
    seen = metrics(house)
    assert seen["offhook_queued_calls"] == 1
    assert seen["offhook_queue_longest_wait_seconds"] == 7
    assert seen['offhook_queue_calls_total{outcome="answered"}'] == 1
    assert seen['offhook_queue_calls_turned_away_total{limit="queue"}'] == 1


def test_a_call_is_explained_without_being_made(house: House, alice: Phone) -> None:
    question = {"caller": "alice", "to": "07700900123", "at_ms": 1_795_426_200_000}
    steps = ask(house, command="explain", question=question)["result"]
    assert "dialled: 07700900123 is +447700900123 (mobile)" in steps
    assert len(house.exchange.board.calls) == 1  # alice's
    for broken in ({**question, "caller": "nobody"}, {**question, "came": {"line": "x"}}, {**question, "at_ms": "now"}):
        assert ask(house, command="explain", question=broken)["ok"] is False
    assert ask(house, command="explain")["error"] == "explain: expected a question"


def test_a_carriers_call_has_no_account(house: House, alice: Phone) -> None:
    alice.hang_up()
    house.run(40)
    house.exchange.apply_changes([NumberChanged(Number("+441632960001", "alice"))], house.clock.now)
    house.phone("carrier", "192.0.2.50").invite("+441632960001")
    house.run(3)
    (row,) = ask(house, command="calls")["result"]
    assert (row["caller"], row["account"], row["account_id"]) == ("carrier", "", None)


def test_the_status_says_what_was_set_aside_and_who_could_not_log_in(house: House, alice: Phone) -> None:
    house.phone("alice", "192.0.2.12", password="wrong").register()
    status = ask(house, command="status")["result"]
    assert status["ready"] == "yes"
    assert status["records_quarantined"] == 3
    assert status["logins"] == {"ok": 2, "wrong": 1}


def test_trunks_are_shown_with_their_health_their_names_and_their_registration() -> None:
    registered = Trunk(
        name="registered",
        addresses=(TrunkAddress("sip.carrier.example", 0),),
        register=True,
        username="offhook42",
        password=Secret("secret"),
    )
    house = House(conf=make_conf(trunks=[make_trunk("plain", "192.0.2.50"), registered]))
    house.run(1)
    board = house.exchange.board
    views = trunk_views(house.exchange.trunks, board.of_trunk, board.clock)
    assert views["plain"] == {"calls": 0, "addresses": {"udp:192.0.2.50:5060": "alive"}}
    assert views["registered"]["names"] == {"sip.carrier.example": "not looked up yet"}
    registration = views["registered"]["registration"]
    assert (registration["state"], registration["last_error"]) == (
        "waiting",
        "no address of the registrar is known yet",
    )
    assert registration["next_try_at_ms"] > registration["since_at_ms"]
    shown = dict(fact_rows(views))
    assert shown["plain addresses udp:192.0.2.50:5060"] == "alive"
    assert shown["registered registration state"] == "waiting"
    series = metrics(house)
    assert series['offhook_trunk_up{address="udp:192.0.2.50:5060",trunk="plain"}'] == 1
    assert series['offhook_trunk_registered{trunk="registered"}'] == 0
    assert series["offhook_dns_names"] == 1


def test_the_status_names_the_quirks_that_were_met(house: House, alice: Phone) -> None:
    assert ask(house, command="status")["result"]["quirks"] == {}
    house.exchange.receive(
        b"OPTIONS sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\n"
        b"To: <sip:example.com>\r\nCall-ID: x\r\nCSeq: 1 OPTIONS\r\n\r\n",
        house.link.flow(EXCHANGE, ("192.0.2.9", 5060)),
        house.clock.now,
    )
    assert ask(house, command="status")["result"]["quirks"] == {"no-content-length": 1}


def test_an_operator_ends_a_call(house: House, alice: Phone) -> None:
    (row,) = ask(house, command="calls")["result"]
    assert ask(house, command="end_call", call_id=row["call_id"])["ok"]
    house.run(40)
    assert alice.requests_of("BYE")
    assert house.journal.cdrs()[0].ended_by == "operator"
    refused = ask(house, command="end_call", call_id=row["call_id"])
    assert not refused["ok"]
    assert row["call_id"] in refused["error"]


def test_registrations_say_where_a_phone_really_is(house: House, alice: Phone) -> None:
    (row,) = ask(house, command="registrations")["result"]
    assert (row["user"], row["source"], row["is_dead"]) == ("alice", "udp:192.0.2.10:5060", False)
    assert ask(house, command="registrations", user="bob")["result"] == []


def test_subscriptions_say_who_watches_what(house: House, alice: Phone) -> None:
    Watch(alice, "alice", "message-summary", expires=600)
    (row,) = ask(house, command="subscriptions")["result"]
    assert (row["watcher"], row["package"], row["resource"]) == ("alice", "message-summary", "alice")
    assert (row["source"], row["notifies"], row["is_waiting"]) == ("udp:192.0.2.10:5060", 1, False)
    assert 590 < row["expires_in_s"] <= 600
    assert ask(house, command="subscriptions", user="bob")["result"] == []


def test_an_account_shows_what_calls_hold(house: House, alice: Phone) -> None:
    result = ask(house, command="account", name="account1")["result"]
    assert result["balance_micros"] == 10_000_000
    assert result["reserved_micros"] == 10_000 + 60 * 1000
    assert result["available_micros"] == result["balance_micros"] - result["reserved_micros"]
    assert result["live_calls"] == 1


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"nonsense",
        b'{"command": "dance"}',
        b'{"command": "calls", "x": 1}',
        b"[1]",
        b'{"command": 7}',
    ],
)
def test_a_wrong_question_is_answered_in_words(house: House, line: bytes) -> None:
    control = Control(Running(house))  # type: ignore[arg-type]
    answer = asyncio.run(control._answer(line))
    assert answer["ok"] is False
    assert answer["error"]


def metrics(house: House) -> dict[str, float]:
    registry = CollectorRegistry()
    registry.register(SwitchCollector(Running(house)))  # type: ignore[arg-type]
    lines = generate_latest(registry).decode().split("\n")
    samples = [line.rsplit(" ", 1) for line in lines if line and not line.startswith("#")]
    assert len({name for name, _ in samples}) == len(samples)
    return {name: float(value) for name, value in samples}


def test_metrics_count_what_happened(house: House, alice: Phone) -> None:
    alice.invite("0033123456789")
    house.run(2)
    before = metrics(house)
    assert before["offhook_calls_live"] == 1
    assert before["offhook_reservations"] == 1
    assert before['offhook_calls_refused_total{reason="no_rate"}'] == 1
    assert before["offhook_registrations"] == 1
    assert before["offhook_journal_pending_frames"] == 3
    assert before["offhook_unshipped_batches"] == 2
    assert before["offhook_records_shipped_total"] == 7
    assert before["offhook_records_quarantined_total"] == 3
    assert before['offhook_part_reconnects_total{part="relay"}'] == 2
    alice.hang_up()
    house.run(40)
    after = metrics(house)
    assert after["offhook_calls_live"] == after["offhook_reservations"] == 0
    assert after['offhook_calls_ended_total{outcome="answered"}'] == 1
    assert after["offhook_charged_pounds_total"] == pytest.approx(house.journal.cdrs()[-2].cost_micros / 1e6)
    assert after['offhook_sip_received_total{kind="BYE"}'] == 1
    assert after["offhook_post_dial_delay_seconds_count"] == 1
    assert after['offhook_post_dial_delay_seconds_bucket{le="+Inf"}'] == 1


def test_registrations_that_are_lost_and_logins_that_are_refused_are_counted(house: House, alice: Phone) -> None:
    house.phone("alice", "192.0.2.12", password="wrong").register()
    (binding,) = house.exchange.bindings.of("alice", house.clock.now)
    house.exchange.on_flow_lost(binding.flow, house.clock.now)
    house.run(2)
    seen = metrics(house)
    assert seen['offhook_registration_events_total{event="registered"}'] == 1
    assert seen['offhook_registration_events_total{event="lost"}'] == 1
    assert seen['offhook_registrations_lost_total{how="lost"}'] == 1
    assert seen['offhook_registrations_lost_total{how="expired"}'] == 0
    assert seen["offhook_registrations_lost_at_once"] == 1
    assert seen['offhook_logins_refused_total{reason="wrong password"}'] == 1
    assert (seen["offhook_lines_away"], seen["offhook_lines_offline"]) == (1, 0)
    assert ask(house, command="status")["result"]["registrations_lost_at_once"] == 1
    house.run(400)
    seen = metrics(house)
    assert (seen["offhook_lines_away"], seen["offhook_lines_offline"]) == (0, 1)
    assert seen["offhook_registrations_lost_at_once"] == 0
    assert ask(house, command="status")["result"]["lines_offline"] == 1


def test_callers_numbers_that_broke_a_rule_are_counted_by_trunk_and_rule(house: House, alice: Phone) -> None:
    carrier = Phone(house, "carrier2", ("192.0.2.50", 5070))
    house.exchange.apply_changes([NumberChanged(Number("+441632960001", "alice"))], house.clock.now)
    for number in ("1234", "1234", "+449098790123"):
        carrier.invite("+441632960001", from_=f"<sip:{number}@192.0.2.50>")
        house.run(1)
    alice.invite("01632960123", from_="<sip:+442079460001@example.com>")
    alice.invite("999")
    carrier.invite("+441632960001", from_="<sip:+441632960123@192.0.2.50>")
    house.run(2)
    seen = metrics(house)
    assert seen['offhook_cli_decisions_total{action="block",rule="invalid",trunk="carrier"}'] == 2
    assert seen['offhook_cli_decisions_total{action="block",rule="premium",trunk="carrier"}'] == 1
    assert seen['offhook_cli_decisions_total{action="replaced",rule="not_own",trunk=""}'] == 1
    assert seen["offhook_emergency_callbacks_awaited"] == 1
    assert seen["offhook_last_calls"] == 1
    assert seen["offhook_calls_traced_total"] == 0
    status = ask(house, command="status")["result"]
    assert status["caller_numbers"] == {
        "carrier invalid block": 2,
        "carrier premium block": 1,
        "lines not_own replaced": 1,
    }
    assert status["numbers_not_to_originate"] == 0


def test_the_edge_is_shown_by_transport_and_its_certificates_by_file(house: House) -> None:
    found = metrics(house)
    assert found['offhook_edge_connections{transport="tls"}'] == 2
    assert found['offhook_edge_accepted_total{transport="tls"}'] == 3
    assert found['offhook_edge_refused_total{reason="websocket"}'] == 4
    assert found['offhook_tls_certificate_expiry_timestamp_seconds{file="full.pem"}'] == 1_800_000_000
    assert found["offhook_tls_files_refused"] == 1
    assert edge_status(Running(house).edge_counts) == {
        "connections": {"tls": 2},
        "certificates": {"full.pem": "2027-01-15 08:00 UTC"},
        "tls_files_refused": {"new.pem": "key values mismatch"},
    }


def test_voicemail_is_shown_from_the_switchs_side() -> None:
    house = House(conf=voicemail_conf(), lines=[make_line("alice", diverts=to_voicemail(UNREACHABLE))])
    assert voicemail_status(house.exchange)["voicemail"] == "away"
    voicemail = StandIn(house)
    alice = house.phone("alice", "192.0.2.10")
    alice.register()
    voicemail.announces(404, after_s=30)
    alice.invite("0500123456")
    house.run(1)
    house.exchange.events.mailboxes._set("alice", MessageCount(2, 1), house.clock.now)
    house.run(1)
    assert voicemail_status(house.exchange) == {
        "voicemail": "connected",
        "mailboxes": 1,
        "messages_waiting": 2,
        "announcements": 1,
    }
    seen = metrics(house)
    assert seen["offhook_voicemail_up"] == seen["offhook_mailboxes"] == seen["offhook_lamps"] == 1
    assert seen['offhook_announcements_total{prompt="number-not-recognised"}'] == 1
    assert seen["offhook_announcements_live"] == 1
    assert seen['offhook_mailbox_messages{state="new"}'] == 2
    assert seen['offhook_lamp_notifies_total{result="accepted"}'] == 1
    assert voicemail_status(House().exchange)["voicemail"] == "none"


def test_metrics_count_what_is_watched(house: House, alice: Phone) -> None:
    watch = Watch(alice, "alice", "message-summary")
    publish(alice, pidf("here"))
    seen = metrics(house)
    assert seen['offhook_subscriptions{package="message-summary"}'] == 1
    assert seen['offhook_subscriptions{package="presence"}'] == 0
    assert seen['offhook_subscribes_total{status="200"}'] == 1
    assert seen['offhook_notifies_total{result="accepted"}'] == 1
    assert seen["offhook_publications"] == 1
    assert seen["offhook_published_bytes"] == len(pidf("here"))
    watch.renew(0)
    seen = metrics(house)
    assert seen['offhook_subscriptions{package="message-summary"}'] == 0
    assert seen['offhook_subscriptions_ended_total{reason="timeout"}'] == 1


def test_every_metric_has_a_help_text(house: House) -> None:
    families = list(SwitchCollector(Running(house)).collect())  # type: ignore[arg-type]
    assert all(family.documentation and family.name.startswith("offhook_") for family in families)
    assert len({family.name for family in families}) == len(families)
