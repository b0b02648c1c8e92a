"""Calls that go on to voicemail, refusals in words and lamps: pjsua2 phones, and SIPp in voicemail's place."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.free_ports import free_port
from demo.phone import Phone, PhoneCall
from demo.phone_messages import CallState, MailboxChanged
from sipp_scenarios.sipp import Sipp, SippRun, is_bound, sipp_program
from tests.wire.phones.conftest import PhoneStarter
from tests.wire.phones.records import records_of
from tests.wire.phones.town import Town, kill_part

SCENARIOS = Path(__file__).parent / "voicemail_sipp"
# While it is away it is asked each second.
NOTICED_S = 20.0
ON_NET_MICROS = 60_000  # a minute
CONNECT_MICROS = 10_000

pytestmark = pytest.mark.skipif(
    sipp_program() is None, reason="sipp is not installed: apt-get install sip-tester"
)


class VoicemailTown(Town):
    """Calls between lines cost something, and voicemail is expected at a port of its own."""

    def __init__(self, directory: Path) -> None:
        self.voicemail_port = free_port()
        super().__init__(
            directory, main=f'[voicemail]\nsip = "127.0.0.1:{self.voicemail_port}"\nrun = false\n'
        )
        tariff = self.conf / "tariffs" / "retail.csv"
        with tariff.open("a") as file:
            file.write("on-net,Other lines,0.01,0.06,1,1,2020-01-01,\n")

    @contextlib.contextmanager
    def voicemail(self) -> Iterator[None]:
        """SIPp answers there."""
        sipp = Sipp(
            xml="voicemail",
            folder=SCENARIOS,
            port=self.voicemail_port,
            exchange_port=self.port,
            timeout_s=600,
            # The OPTIONS all have one Call-ID: a call that is over must not swallow the next one.
            words=("-m", "100000", "-l", "100", "-deadcall_wait", "0"),
        )
        with SippRun(sipp, self.directory) as run:
            run.wait_until_bound()
            self.wait_for_status(NOTICED_S, voicemail="connected")  # type: ignore[arg-type]
            yield
        assert not is_bound(self.voicemail_port)

    def publish(self, user: str, new: int) -> None:
        sipp = Sipp(
            xml="publishes",
            folder=SCENARIOS,
            port=self.voicemail_port,
            exchange_port=self.port,
            user=user,
            keys={"new": str(new)},
        )
        with SippRun(sipp, self.directory) as run:
            run.finish()


@pytest.fixture(scope="module")
def quarter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VoicemailTown]:
    town = VoicemailTown(tmp_path_factory.mktemp("voicemail"))
    try:
        town.start()
        town.populate()
        town.run("divert", "set", "bob", "--ring-s", "5")
        yield town
    finally:
        town.stop()


def start(town: Town, phone: PhoneStarter, user: str, **settings: object) -> Phone:
    started = phone(town.settings(user, **settings))
    started.register()
    return started


def leave_message(caller: Phone, town: Town) -> PhoneCall:
    call = caller.dial(town.uri("01632960002"))
    call.wait_for(CallState.CONFIRMED, timeout_s=15)
    return call


def test_a_busy_line_goes_on_to_voicemail_and_the_caller_pays_for_the_line(
    quarter: VoicemailTown, phone: PhoneStarter
) -> None:
    town = quarter
    before = town.balance("shop")
    alice, bob = start(town, phone, "alice"), start(town, phone, "bob")
    with town.voicemail():
        call = alice.dial(town.uri("01632960002"))
        bob.expect_call().answer(486)
        call.wait_for(CallState.CONFIRMED)
        call.hang_up()
        call.wait_ended()
        caller, busy, message = records_of(town, call.sip_call_id, legs=3)
    assert (caller.outcome, caller.rate_prefix) == ("answered", "on-net")
    assert caller.cost_micros == CONNECT_MICROS + caller.billed_s * ON_NET_MICROS // 60
    assert caller.billed_s >= 1
    assert (busy.line, busy.outcome, busy.sip_status, busy.cost_micros) == ("bob", "busy", 486, 0)
    assert (message.line, message.leg_reason, message.destination) == ("bob", "divert_busy", "voicemail")
    assert (message.outcome, message.cost_micros) == ("answered", 0)
    assert message.destination_address == f"udp:127.0.0.1:{town.voicemail_port}"
    town.wait_until("charge", lambda: town.balance("shop") == before - caller.cost_micros)
    town.check_calls_over()


def test_nobody_answers(quarter: VoicemailTown, phone: PhoneStarter) -> None:
    alice, bob = start(quarter, phone, "alice"), start(quarter, phone, "bob")
    with quarter.voicemail():
        call = alice.dial(quarter.uri("bob"))
        theirs = bob.expect_call()
        theirs.ring()
        call.wait_for(CallState.CONFIRMED, timeout_s=15)
        theirs.wait_ended()
        call.hang_up()
        call.wait_ended()
        rows = records_of(quarter, call.sip_call_id, legs=3)
    assert [row.outcome for row in rows] == ["answered", "no_answer", "answered"]
    assert rows[2].leg_reason == "divert_no_reply"
    quarter.check_calls_over()


def test_nothing_is_registered_and_voicemail_dies(quarter: VoicemailTown, phone: PhoneStarter) -> None:
    alice = start(quarter, phone, "alice")
    with quarter.voicemail():
        call = leave_message(alice, quarter)
        call.hang_up()
        call.wait_ended()
        assert records_of(quarter, call.sip_call_id, legs=2)[1].leg_reason == "divert_unreachable"
    # away from this moment on, known or not
    call = alice.dial(quarter.uri("bob"))
    assert call.wait_ended().status == 480
    row = records_of(quarter, call.sip_call_id, legs=2)[0]
    assert (row.outcome, row.cost_micros) == ("not_registered", 0)
    assert quarter.status()["voicemail"] == "away"
    call = alice.dial(quarter.uri("bob"))
    assert call.wait_ended().status == 480
    records_of(quarter, call.sip_call_id, legs=1)
    quarter.check_calls_over()


def test_a_refusal_in_words_and_then_in_its_code(quarter: VoicemailTown, phone: PhoneStarter) -> None:
    alice = start(quarter, phone, "alice")
    with quarter.voicemail():
        call = alice.dial(quarter.uri("0500123456"))
        assert call.wait_for(CallState.EARLY).status == 183
        assert call.wait_ended().status == 404
        caller, words = records_of(quarter, call.sip_call_id, legs=2)
    assert (caller.outcome, caller.q850_cause, caller.cost_micros) == ("number_not_in_use", 1, 0)
    assert words.leg_reason == "announcement number-not-recognised"
    quarter.check_calls_over()


def test_1571_is_free(quarter: VoicemailTown, phone: PhoneStarter) -> None:
    bob = start(quarter, phone, "bob")
    with quarter.voicemail():
        call = bob.dial(quarter.uri("1571"))
        call.wait_for(CallState.CONFIRMED)
        call.hang_up()
        call.wait_ended()
        caller, listening = records_of(quarter, call.sip_call_id, legs=2)
    assert (caller.destination, caller.cost_micros, caller.rate_prefix) == ("1571", 0, "")
    assert (listening.leg_reason, listening.line) == ("retrieval", "bob")
    quarter.check_calls_over()


@pytest.mark.parametrize("watches_mailbox", [True, False])
def test_the_lamp(quarter: VoicemailTown, phone: PhoneStarter, watches_mailbox: bool) -> None:
    """With a subscription, and on a phone that has none."""
    user = "carol" if watches_mailbox else "dave"
    owner = start(quarter, phone, user, watches_mailbox=watches_mailbox)
    if watches_mailbox:
        owner.wait_for(MailboxChanged, "word of its mailbox")
    for new in (2, 3):
        quarter.publish(user, new)
        told = owner.wait_for(
            MailboxChanged, f"{new} messages", lambda change, new=new: f"{new}/0" in change.text
        )
        assert "messages-waiting: yes" in told.text.lower()
    assert len(quarter.subscriptions(user)) == watches_mailbox


def test_a_crash_while_a_message_is_left_ends_it_on_both_sides(
    quarter: VoicemailTown, phone: PhoneStarter
) -> None:
    alice = start(quarter, phone, "alice")
    with quarter.voicemail():
        call = leave_message(alice, quarter)
        kill_part(quarter, "switch", quarter.is_serving_without)
        call.wait_ended()
        caller, message = records_of(quarter, call.sip_call_id, legs=2)
        assert (caller.outcome, message.outcome, caller.is_recovered) == ("answered", "answered", True)
        assert message.leg_reason == "divert_unreachable"
        messages = quarter.directory / "voicemail.messages"
        quarter.wait_until("BYE to voicemail", lambda: "\nBYE sip:" in messages.read_text("utf-8", "replace"))
    quarter.check_calls_over()
