"""What happens in the demo, and every check on it. Each scene returns what there is to show, or raises DemoError.

The checks look from outside only: at the phones' own messages, the commands' output and the database.
"""

import time
from pathlib import Path
from typing import Any

import msgspec

from demo.exchange import ConfFiles, LocalExchange
from demo.ladder import Rung, rungs, summary
from demo.phone import Phone, PhoneCall
from demo.phone_messages import AudioCounted, CallArrived, CallState, MailboxChanged, PhoneSettings
from demo.records import CdrLine, Price, pounds
from demo.sound import Stretch, longest_stretch, read_growing_recording, read_recording

ACCOUNT = "shop"
CREDIT_MICROS = 300_000
PRICE = Price(connect_fee_micros=20_000, per_minute_micros=590_000)
TARIFF_CSV = """\
prefix,destination,connect_fee,per_minute,initial_s,next_s,valid_from,valid_until
on-net,Between our phones,0.02,0.59,1,1,2020-01-01,
"""
CONF = ConfFiles(tariff_name="demo", tariff_csv=TARIFF_CSV)
ALICE, BOB = ("alice", "01632 960001"), ("bob", "01632 960002")
BOB_DIALLED = "01632960002"

ALICE_HZ, BOB_HZ = 700, 440
MAILBOX_RINGS_S = 5
MESSAGE_S = 3.0
# The menu's first words, who called and when, and the message.
LISTEN_S = 22.0
TALK_S = 2.4  # billed as 3 s: begun seconds count
RING_S = 0.5
RECORDS_TIMEOUT_S = 10.0
POLL_S = 0.2
# "When it runs out both sides get BYE within one second."
CUT_WITHIN_S = 1.0
# A message must come back as it was kept.
SAME_WITHIN_S = 0.1
SAME_WITHIN_DB = 1.0
BEEP_S = 1.0
ANNOUNCEMENT_S = 30.0
# Records are in whole milliseconds, and the exchange sets its UTC clock anew once a second.
CLOCK_S = 0.02


class DemoError(Exception):
    """Something did not happen exactly as it must; the text is one sentence."""


class Scene(msgspec.Struct, frozen=True):
    """One call as it was. `callee` is None where no phone rang."""

    steps: list[Rung]
    began_at: float
    cdrs: list[CdrLine]
    balance_before_micros: int
    balance_after_micros: int
    audio: tuple[AudioCounted, AudioCounted] | None = None
    heard: Stretch | None = None

    @property
    def paid(self) -> CdrLine:
        """The caller's row, which carries the money."""
        return self.cdrs[0]


def check(is_so: bool, sentence: str) -> None:
    if not is_so:
        raise DemoError(sentence)


def provision(exchange: LocalExchange) -> dict[str, str]:
    """An account with credit, two lines and their numbers, by the commands. Returns the lines' passwords."""
    exchange.run("account", "add", ACCOUNT, "--prepaid", "--credit", pounds(CREDIT_MICROS).removeprefix("£"))
    passwords = {}
    for user, number in (ALICE, BOB):
        added = exchange.run_json("line", "add", user, "--account", ACCOUNT)
        passwords[user] = added["password"]
        exchange.run("number", "assign", number, "--line", user)
    exchange.run("divert", "set", BOB[0], "--ring-s", str(MAILBOX_RINGS_S))
    return passwords


def start_phones(exchange: LocalExchange, passwords: dict[str, str], logs: Path) -> tuple[Phone, Phone]:
    """Two softphones, registered."""
    phones = []
    try:
        for user, password in passwords.items():
            settings = PhoneSettings(
                name=user.capitalize(),
                user=user,
                server=exchange.address,
                log=str(logs / f"{user}.log"),
                password=password,
                tone_hz=ALICE_HZ if user == ALICE[0] else BOB_HZ,
                recording=str(logs / f"{user}.wav"),
                watches_mailbox=user == BOB[0],
            )
            phones.append(Phone.start(settings))
            phones[-1].register()
    except BaseException:
        for phone in phones:
            phone.stop()
        raise
    return phones[0], phones[1]


def registrations(exchange: LocalExchange) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = exchange.run_json("registrations")
    users = sorted(row["user"] for row in found)
    check(users == [ALICE[0], BOB[0]], f"expected alice and bob to be registered, found {users}")
    return found


def a_call(exchange: LocalExchange, alice: Phone, bob: Phone) -> Scene:
    """Alice calls Bob's number, they talk, she hangs up."""
    before = balance(exchange)
    call, theirs = _connect(exchange, alice, bob)
    time.sleep(TALK_S)
    audio = (call.count_audio(), theirs.count_audio())
    check(min(audio[0].received, audio[1].received) > 0, "one phone heard nothing of the other")
    call.hang_up()
    call.wait_ended()
    theirs.wait_ended()
    check(_got_bye(theirs), "Bob's phone was not sent a BYE")
    scene = _scene(exchange, call, theirs, before, audio)
    _check_paid(scene)
    row = scene.paid
    least_s, most_s = _talked_s(call, theirs)
    check(
        least_s - CLOCK_S < row.duration_ms / 1000 < most_s + CLOCK_S,
        f"the phones saw {least_s:.3f} to {most_s:.3f} s of talk, the record has {row.duration_ms} ms",
    )
    check(row.ended_by == "caller", f"Alice hung up, but the record says {row.ended_by}")
    return scene


def a_message(exchange: LocalExchange, alice: Phone, bob: Phone) -> Scene:
    """Bob's phone rings and is not answered: Alice speaks to his mailbox, and his lamp lights."""
    before = balance(exchange)
    mark, lamp = bob.mark(), bob.mark()
    call = alice.dial(_bob(exchange))
    theirs = bob.expect_call(after=mark)
    theirs.ring()
    call.wait_for(CallState.CONFIRMED, timeout_s=MAILBOX_RINGS_S + 10.0)
    theirs.wait_ended()
    call.press("#")  # past the greeting, to the beep
    time.sleep(BEEP_S + MESSAGE_S)
    call.hang_up()
    call.wait_ended()
    bob.wait_for(MailboxChanged, "the lamp", lambda seen: "Messages-Waiting: yes" in seen.text, after=lamp)
    cdrs = _records(exchange, call.sip_call_id, legs=3)
    outcomes = [row.outcome for row in cdrs]
    expected = ["answered", "no_answer", "answered"]
    check(outcomes == expected, f"the legs of the message are {outcomes}, expected {expected}")
    scene = Scene([], 0.0, cdrs, before, balance(exchange))
    _check_paid(scene)
    return scene


def the_message_heard(exchange: LocalExchange, bob: Phone, logs: Path) -> Scene:
    """Bob dials 1571 and hears what she said: as long and as loud as it was kept."""
    before = balance(exchange)
    ear = logs / f"{BOB[0]}.wav"
    began = len(read_growing_recording(ear)[0])
    call = bob.dial(f"sip:1571@{exchange.address}")
    call.wait_for(CallState.CONFIRMED)
    time.sleep(1.0)
    call.press("1")
    kept = longest_stretch(*_kept_message(exchange, logs), ALICE_HZ)
    heard = _listen(ear, began, kept)
    call.hang_up()
    call.wait_ended()
    check(
        abs(heard.seconds - kept.seconds) <= SAME_WITHIN_S,
        f"{kept.seconds:.2f} s were kept, {heard.seconds:.2f} s heard",
    )
    off_db = heard.level_dbfs - kept.level_dbfs
    check(abs(off_db) <= SAME_WITHIN_DB, f"the message came back {off_db:+.1f} dB louder than it was kept")
    cdrs = _records(exchange, call.sip_call_id, legs=2)
    check(cdrs[0].cost_micros == 0, "listening to messages was charged")
    after = balance(exchange)
    check(after == before, "listening to messages changed the balance")
    return Scene([], 0.0, cdrs, before, after, heard=heard)


def _kept_message(exchange: LocalExchange, logs: Path) -> tuple[list[int], int]:
    file = logs / "kept.wav"
    (message,) = exchange.run_json("voicemail", "list", BOB[0])
    exchange.run("voicemail", "export", BOB[0], message["id"], str(file))
    return read_recording(file)


def _listen(ear: Path, began: int, kept: Stretch) -> Stretch:
    """Until the whole message has been played into Bob's ear, or nothing more is to be expected."""
    deadline = time.monotonic() + LISTEN_S
    while True:
        samples, rate = read_growing_recording(ear)
        heard = longest_stretch(samples[began:], rate, ALICE_HZ)
        if heard.seconds >= kept.seconds - SAME_WITHIN_S or time.monotonic() > deadline:
            return heard
        time.sleep(POLL_S)


def a_cut_call(exchange: LocalExchange, alice: Phone, bob: Phone) -> Scene:
    """She calls again and talks until the credit is gone: both phones get a BYE at the last paid second."""
    before = balance(exchange)
    paid_s = PRICE.paid_s(before)
    call, theirs = _connect(exchange, alice, bob)
    call.wait_ended(timeout_s=paid_s + 10.0)
    theirs.wait_ended()
    check(_got_bye(call), "Alice's phone was not sent a BYE when the credit ran out")
    check(_got_bye(theirs), "Bob's phone was not sent a BYE when the credit ran out")
    scene = _scene(exchange, call, theirs, before, None)
    _check_paid(scene)
    row = scene.paid
    check(row.billed_s == paid_s, f"the credit lasted for {paid_s} s, but {row.billed_s} s were billed")
    over_s = row.duration_ms / 1000 - paid_s
    check(0 <= over_s < CUT_WITHIN_S, f"the call was cut {over_s:.3f} s after its last paid second")
    check(row.ended_by == "credit", f"the credit ended the call, but the record says {row.ended_by}")
    return scene


def a_refused_call(exchange: LocalExchange, alice: Phone, bob: Phone) -> Scene:
    """What is left does not pay for one second: 402, and Bob's phone stays silent."""
    before = balance(exchange)
    mark = bob.mark()
    call = alice.dial(_bob(exchange))
    ended = call.wait_ended(timeout_s=ANNOUNCEMENT_S)
    check(ended.status == 402, f"expected 402 without credit, got {ended.status} {ended.reason}")
    check(not bob.events_of(CallArrived, after=mark), "Bob's phone rang although nobody could pay")
    cdrs = _records(exchange, call.sip_call_id, legs=2)  # the second is the announcement
    check(cdrs[0].sip_status == 402, f"the record of the refused call says {cdrs[0].sip_status}")
    check(cdrs[0].cost_micros == 0, "a refused call was charged")
    after = balance(exchange)
    check(after == before, "a refused call changed the balance")
    return Scene([], 0.0, cdrs, before, after)


def balance(exchange: LocalExchange) -> int:
    """By `offhook account show`: what the books say and what the switch knows must be one number."""
    shown = exchange.run_json("account", "show", ACCOUNT)
    books: int = shown["view"]["balance_micros"]
    live = shown["live"]
    check(live is not None, "`offhook account show` does not have the switch's live balance")
    check(
        live["balance_micros"] == books and live["reserved_micros"] == 0,
        f"the books say {books} micros, the switch {live['balance_micros']} with {live['reserved_micros']} held",
    )
    return books


def books_in_postgresql(exchange: LocalExchange, scenes: list[Scene]) -> tuple[int, int]:
    """Rows of `cdrs`, and the sum of the ledger, asked of PostgreSQL itself."""
    rows = exchange.query("SELECT count(*) AS rows FROM cdrs")[0]["rows"]
    expected = sum(len(scene.cdrs) for scene in scenes)
    check(rows == expected, f"PostgreSQL has {rows} call records, expected {expected}")
    total = int(exchange.query("SELECT sum(amount_micros) AS total FROM ledger")[0]["total"])
    spent = sum(PRICE.cost_micros(scene.paid.billed_s) for scene in scenes)
    check(
        total == CREDIT_MICROS - spent,
        f"the ledger's sum is {total} micros, expected {CREDIT_MICROS - spent}",
    )
    return rows, total


def check_nothing_left(exchange: LocalExchange) -> None:
    """No call, reservation or bug; transactions linger for Timer J and friends, half a minute at most."""
    status = exchange.status()
    for name in ("live_calls", "reservations", "bugs"):
        check(status[name] == 0, f"the exchange still has {status[name]} {name.replace('_', ' ')}")


def _bob(exchange: LocalExchange) -> str:
    return f"sip:{BOB_DIALLED}@{exchange.address}"


def _connect(exchange: LocalExchange, alice: Phone, bob: Phone) -> tuple[PhoneCall, PhoneCall]:
    mark = bob.mark()
    call = alice.dial(_bob(exchange))
    theirs = bob.expect_call(after=mark)
    theirs.ring()
    call.wait_for(CallState.EARLY)
    time.sleep(RING_S)
    theirs.answer()
    call.wait_for(CallState.CONFIRMED)
    theirs.wait_for(CallState.CONFIRMED)
    return call, theirs


def _scene(
    exchange: LocalExchange,
    call: PhoneCall,
    theirs: PhoneCall,
    before: int,
    audio: tuple[AudioCounted, AudioCounted] | None,
) -> Scene:
    cdrs = _records(exchange, call.sip_call_id, legs=2)
    steps = rungs(
        call.phone.trace,
        theirs.phone.trace,
        caller_call_id=call.sip_call_id,
        callee_call_id=theirs.sip_call_id,
    )
    return Scene(steps, steps[0].at, cdrs, before, balance(exchange), audio)


def _records(exchange: LocalExchange, sip_call_id: str, *, legs: int) -> list[CdrLine]:
    """The rows of one call as `offhook cdr list` has them, which is as PostgreSQL has them."""
    deadline = time.monotonic() + RECORDS_TIMEOUT_S
    while True:
        rows = msgspec.convert(exchange.run_json("cdr", "list"), list[CdrLine])
        mine = sorted(
            (row for row in rows if sip_call_id in (row.sip_call_id, row.other_sip_call_id)),
            key=lambda row: row.leg,
        )
        if len(mine) >= legs:
            check(len(mine) == legs, f"the call has {len(mine)} records, expected {legs}")
            return mine
        check(
            time.monotonic() < deadline,
            f"the call's records did not reach PostgreSQL within {RECORDS_TIMEOUT_S:g} s",
        )
        time.sleep(POLL_S)


def _check_paid(scene: Scene) -> None:
    """The charge, to the micro, against the tariff and against the fall of the balance."""
    row = scene.paid
    seconds = -(-row.duration_ms // 1000)
    # A call that is cut lasts some milliseconds longer than it was paid for; those are not charged.
    billed = min(seconds, PRICE.paid_s(scene.balance_before_micros))
    check(row.billed_s == billed, f"{row.duration_ms} ms were billed as {row.billed_s} s, expected {billed}")
    cost = PRICE.cost_micros(row.billed_s)
    check(row.cost_micros == cost, f"{row.billed_s} s cost {row.cost_micros} micros, expected {cost}")
    check(
        row.connect_fee_micros + row.usage_micros == row.cost_micros,
        "the parts of the price are not its sum",
    )
    fallen = scene.balance_before_micros - scene.balance_after_micros
    check(fallen == cost, f"the balance fell by {fallen} micros, expected {cost}")
    check(
        row.balance_after_micros == scene.balance_after_micros,
        "the balance on the record is not the account's",
    )


def _got_bye(call: PhoneCall) -> bool:
    return any(
        not seen.is_sent and facts.start_line.startswith("BYE ") and facts.call_id == call.sip_call_id
        for seen in call.phone.trace
        for facts in [summary(seen.text)]
    )


def _talked_s(call: PhoneCall, theirs: PhoneCall) -> tuple[float, float]:
    """The least and the most that the call can have lasted, however busy the machine was: the exchange passed the
    answer on between Bob's 200 and Alice's sight of it, and took her BYE between its sending and its answer."""
    bobs_answer = _at(theirs, "SIP/2.0 200", "INVITE")
    answered = _at(call, "SIP/2.0 200", "INVITE")
    hung_up = _at(call, "BYE ", "BYE")
    confirmed = _at(call, "SIP/2.0 200", "BYE")
    return hung_up - answered, confirmed - bobs_answer


def _at(call: PhoneCall, beginning: str, method: str) -> float:
    for seen in call.phone.trace:
        facts = summary(seen.text)
        if (
            facts.call_id == call.sip_call_id
            and facts.start_line.startswith(beginning)
            and facts.method == method
        ):
            return seen.at
    raise DemoError(f"the phone's log has no {beginning.strip()} of the call")
