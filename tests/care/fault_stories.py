"""A story for each fault that the shipped table knows, and for each good end of a call: what test_explanation.py asks.

Each is built as the switch would have written it. `FAULTS` is by the pattern that must come first; `ANSWERS` by the
pattern that says what a call without a fault came to, "" for none.
"""

from typing import Final

from msgspec.structs import replace

from care.story import CallStory
from provisioning.settings import WITHHELD
from switch.calls import endings, refusal
from switch.calls.hunt import NO_CODEC
from switch.calls.hunting import NO_SIGN_OF_RINGING, NOBODY_ANSWERED, SILENT
from switch.calls.vanished import SILENCE_WORDS
from tests.care.call_stories import (
    CALLED,
    CARRIER,
    T0,
    US,
    Talk,
    call,
    cdr,
    failed,
    good_dialog,
    leg,
    phone,
    refused,
    registration,
    sdp_of,
    sound,
    story,
    voice,
)
from tests.care.fault_shapes import (
    MEDIA,
    by,
    carrier,
    cut_by_callee,
    diverted,
    falls_silent,
    from_us,
    late,
    refreshed,
    registered_through_alg,
    repeated_answer,
    sent_on_always,
    silence,
    timed_out,
    torn,
    traced,
    unanswered,
    unconfirmed,
    unregistered,
    vanished,
    with_alg,
    with_private_sdp,
)

WRONG: Final = registration("refused", at_s=-60, reason="wrong password", count=12)
BANNED: Final = registration("refused", at_s=-30, reason="banned", count=40)
REGISTERED: Final = registration("registered", at_s=-7200)
LOOP: Final = f"{endings.NOT_SENT_ON}divert_loop"
TOO_OFTEN: Final = f"{endings.NOT_SENT_ON}diverted_too_often"
NOWHERE: Final = "the line diverts all calls to where they cannot go at the moment"

# The pattern that must be named first -> the story.
FAULTS: Final[dict[str, CallStory]] = {
    "one-way-audio-private-address": with_private_sdp(),
    "one-way-audio-alg": with_alg(),
    "one-way-audio-from-phone": call(media={0: sound(0, packets=0), 1: sound(1)}),
    "one-way-audio-from-carrier": call(media={0: sound(0), 1: sound(1, packets=0)}),
    "no-sound-from-us": call(target=voice(), media={0: sound(0), 1: sound(1, packets=0)}),
    "no-sound-at-all": call(media={0: silence(0), 1: silence(1)}),
    "loss-both": call(media={0: sound(0, lost=200), 1: sound(1, lost=300)}),
    "loss-phone": call(media={0: sound(0, lost=200), 1: sound(1)}),
    "loss-carrier": call(media={0: sound(0), 1: sound(1, lost=200)}),
    "jitter-phone": call(media={0: sound(0, jitter_us=80_000), 1: sound(1)}),
    "jitter-carrier": call(media={0: sound(0), 1: sound(1, jitter_us=80_000)}),
    "sound-late": call(media={0: sound(0), 1: late(1, 7)}),
    "sound-gap": call(duration_ms=198_000, media={0: torn(0), 1: sound(1)}),
    "ack-lost-caller": traced(unconfirmed(), repeated_answer(Talk(0), sent=True)),
    "ack-lost-carrier": unconfirmed(line="", trunk="acme", account_id=None),
    "ack-lost-callee": cut_by_callee(phone(), repeated_answer(Talk(1), sent=False, is_acknowledged=True)),
    "ack-lost-to-carrier": cut_by_callee(leg(), repeated_answer(Talk(1), sent=False, is_acknowledged=True)),
    "phone-does-not-hear-us": traced(
        unanswered(leg(**failed(487, 16, "cancelled", "given up")), outcome="failed", reason="gone"),
        Talk(0)
        .request("INVITE", 0, sent=False)
        .response(100, "INVITE", 0.1, sent=True)
        .request("INVITE", 0.5, sent=False)
        .request("INVITE", 1.5, sent=False)
        .request("INVITE", 3.5, sent=False),
    ),
    "session-timer": timed_out(),
    "session-refresh-refused": traced(
        call(duration_ms=900_000, reason="the callee hung up", ended_by="callee"),
        good_dialog(0),
        refreshed(good_dialog(1), 501, sent=True),
    ),
    "carrier-vanished": traced(vanished(), good_dialog(0), refreshed(good_dialog(1), 0, sent=True)),
    "phone-vanished": vanished(SILENCE_WORDS),
    "dialog-forgotten": call(reason=f"the callee's {endings.FORGOTTEN}", ended_by="callee", q850_cause=41),
    "network-dropped": traced(
        call(reason="the callee hung up", ended_by="callee", q850_cause=38),
        good_dialog(0),
        good_dialog(1).request("BYE", 50, sent=False, in_dialog=True, fields="Reason: Q.850;cause=38\r\n"),
    ),
    "exchange-restarted": call(
        is_recovered=True, ended_by="exchange", q850_cause=41, reason="the exchange restarted"
    ),
    "duration-limit": call(reason=endings.TOO_LONG, ended_by="exchange", duration_ms=14_400_000),
    "browser-lost": call(reason=f"{endings.BROWSER_LOST}ice", ended_by="exchange"),
    "operator-ended": call(reason="the operator ended the call", ended_by="operator"),
    "no-credit": by(refusal.NO_CREDIT),
    "owner-no-credit": by(refusal.OWNER_NO_CREDIT),
    "credit-ended": call(reason="the credit ran out", ended_by="credit"),
    "spending-cap-reached": call(reason="the daily spending cap was reached", ended_by="cap"),
    "spending-cap": by(refusal.DAILY_CAP),
    "no-price": by(refusal.NO_RATE),
    "barred-by-operator": by(refusal.BARRED, 'barred for the line: "premium"; the operator can lift it'),
    "barred": by(refusal.BARRED),
    "barred-line": by(refusal.BARRED, 'barred for the line: "premium"; the customer can lift it'),
    "barred-account": by(refusal.BARRED, 'barred for the account: "mobile"; the customer can lift it'),
    "not-opted-in": by(refusal.NOT_OPTED_IN),
    "fraud-bar": by(refusal.FRAUD_BAR),
    "arrears": by(refusal.RESTRICTED, "outgoing calls are stopped until the account is paid"),
    "called-out-of-service": by(refusal.NOT_IN_SERVICE),
    "destination-blocked": by(refusal.DESTINATION_BLOCKED),
    "caller-blocked": by(refusal.CALLER_BLOCKED),
    "anonymous-refused": by(
        refusal.ANONYMOUS_REFUSED, privacy="id", network_number=WITHHELD, presentation_number=WITHHELD
    ),
    "do-not-disturb": by(refusal.DO_NOT_DISTURB),
    "cli-refused": by(refusal.CLI_BLOCKED, "premium: the caller's number is a premium rate number"),
    "carrier-to-carrier": by(refusal.TRUNK_TO_TRUNK),
    "call-limit": by(refusal.LINE_FULL),
    "queue-full": by(refusal.QUEUE_FULL),
    "exchange-full": by(refusal.TOO_MANY_CALLS),
    "journal-gate": call(
        **failed(503, 41, endings.GATE_CLOSED, "the answer could not be recorded in time", by="exchange")
    ),
    "emergency-failed": unanswered(
        carrier(503, 34), is_emergency=True, dialled="999", destination="emergency"
    ),
    "voicemail-away": by(refusal.VOICEMAIL_AWAY),
    "wrong-password": unregistered(registrations=[WRONG]),
    "source-banned": unregistered(registrations=[WRONG, BANNED]),
    "phone-switched-off": unregistered(registrations=[REGISTERED, registration("left", at_s=-600)]),
    "registration-expired": unregistered(registrations=[REGISTERED, registration("expired", at_s=-600)]),
    "registration-removed": unregistered(registrations=[REGISTERED, registration("removed", at_s=-600)]),
    "not-registered": unregistered(),
    "phone-silent": unanswered(phone(**from_us(SILENT)), outcome="no_answer"),
    "codec-phone": unanswered(phone(**failed(488, 65, "failed", "Not Acceptable Here"))),
    "codec-carrier": unanswered(leg(**from_us(NO_CODEC))),
    "no-common-sound": call(reason=endings.NO_COMMON_SOUND, ended_by="exchange"),
    "phone-rejects": unanswered(phone(**failed(404, 1, "not_found", "Not Found"))),
    "phone-unavailable": unanswered(phone(**failed(480, 18, "unavailable", "Temporarily Unavailable"))),
    "redirection-failed": unanswered(phone(**failed(302, 127, "failed", "Moved")), sip_status=480),
    "ringing-unacknowledged": unanswered(
        phone(**failed(487, 102, "cancelled", "given up", by="exchange")),
        outcome="failed",
        sip_status=504,
        q850_cause=102,
        reason=endings.RINGING_UNACKNOWLEDGED,
        ended_by="exchange",
    ),
    "transfer-refused": traced(
        call(),
        good_dialog(0)
        .request("REFER", 20, sent=False, cseq=2, in_dialog=True)
        .response(404, "REFER", 20.1, sent=True, cseq=2),
        good_dialog(1),
    ),
    "transfer-failed": replace(
        call(),
        legs=[
            *call().legs,
            *story(
                phone(
                    2,
                    **failed(486, 17, "busy", "Busy"),
                    leg_reason="transfer by line anna: a phone of line bob",
                )
            ).legs,
        ],
    ),
    "invalid-number": by(refusal.UNRECOGNISED, destination="", dialled="0207"),
    "number-not-in-use": by(refusal.NOT_IN_USE),
    "number-dead-there": unanswered(carrier(404, 1, "not_found")),
    "number-incomplete": unanswered(carrier(484, 28)),
    "rejected-there": unanswered(carrier(403, 21)),
    "own-number": unanswered(
        phone(line="anna", **failed(486, 17, "busy", "Busy Here")), destination="anna", dialled="anna"
    ),
    "divert-loop": refused("divert_unavailable", NOWHERE, status=480, cause=20, decisions=LOOP),
    "divert-limit": refused("divert_unavailable", NOWHERE, status=480, cause=20, decisions=TOO_OFTEN),
    "divert-dead": diverted(404, 1, "not_found"),
    "divert-impossible": refused("divert_unavailable", NOWHERE, status=480, cause=20),
    "all-carriers-failed": unanswered(carrier(503, 34), carrier(500, 41, index=2, trunk="bravo")),
    "no-carrier": by(refusal.TRUNK_UNAVAILABLE, "no trunk: acme is not registered"),
    "carrier-full": by(refusal.TRUNK_FULL),
    "carrier-silent": unanswered(leg(**from_us(NO_SIGN_OF_RINGING)), outcome="no_answer"),
    "carrier-no-circuit": unanswered(carrier(503, 34)),
    "carrier-destination-down": unanswered(carrier(502, 27)),
    "carrier-credentials": unanswered(carrier(407, 21)),
    "carrier-failed": unanswered(carrier(500, 41)),
    "post-dial-delay": call(post_dial_delay_ms=14_000, media=MEDIA),
    "gave-up-in-silence": unanswered(
        leg(**failed(487, 16, "cancelled", "given up", by="exchange", at_s=12)),
        outcome="cancelled",
        reason="the caller gave up before the answer",
        ended_by="caller",
        ended_at_ms=T0 + 12_000,
    ),
    "failed": unanswered(voice(**failed(480, 31, "unavailable", "Gone"))),
    "account-suspended": by(refusal.SUSPENDED),
    "plan-ended": by(refusal.PLAN_ENDED),
    "service-not-possible": by(refusal.NOTHING_PARKED),
    "request-not-usable": by(refusal.SESSION_TOO_BRIEF),
    "anonymous-refused-there": unanswered(carrier(433, 24)),
}

RUNG: Final = {"ringing_at_ms": T0 + 1000}
GIVEN_UP: Final = {
    "reason": "the caller gave up before the answer",
    "ended_by": "caller",
    "outcome": "cancelled",
}
MOBILE: Final = "+447700900123"

# A good call of each kind -> the answer that is said, "" for none. None of them has a finding.
ANSWERS: Final[list[tuple[str, CallStory]]] = [
    ("", call()),
    ("", call(cost_micros=12_000, ended_by="callee", reason="the callee hung up")),
    ("", call(line="", trunk="acme", target=phone(), source_address=f"udp:{CARRIER}:5060")),
    ("", call(target=phone())),
    ("", call(target=phone(), media={})),
    ("", call(duration_ms=32_000)),
    ("", call(duration_ms=900_000)),
    ("", call(duration_ms=1_800_000, ended_by="callee", reason="the callee hung up")),
    ("", call(duration_ms=1_500, media={0: sound(0, packets=0), 1: sound(1, packets=40)})),
    ("", traced(call(), good_dialog(0), good_dialog(1))),
    ("", traced(call(target=phone()), good_dialog(0), good_dialog(1, peer="198.51.100.9"))),
    ("", traced(call(duration_ms=900_000), good_dialog(0), refreshed(good_dialog(1), 200, sent=True))),
    ("", call(privacy="id", network_number=WITHHELD, presentation_number=WITHHELD)),
    ("", replace(call(), registrations=[REGISTERED])),
    ("busy", unanswered(leg(**failed(486, 17, "busy", "Busy Here")))),
    ("busy-at-once", unanswered(phone(**failed(486, 17, "busy", "Busy Here", at_s=0.1)))),
    ("divert-not-taken", sent_on_always(486, 17, "busy")),
    ("busy", unanswered(leg(**failed(600, 17, "busy", "Busy Everywhere")))),
    ("declined", unanswered(phone(**{**failed(603, 21, "declined", "Decline"), **RUNG}))),
    ("declined", unanswered(leg(**{**failed(603, 21, "declined", "Decline"), **RUNG}))),
    ("no-answer", unanswered(phone(**{**from_us(NOBODY_ANSWERED), **RUNG, "outcome": "no_answer"}), **RUNG)),
    ("no-answer", unanswered(leg(**{**failed(480, 19, "no_answer", "No Answer", at_s=60), **RUNG}), **RUNG)),
    (
        "no-answer",
        unanswered(phone(**{**failed(480, 18, "unavailable", "Unavailable", at_s=60), **RUNG}), **RUNG),
    ),
    (
        "gave-up",
        unanswered(
            phone(**{**failed(487, 16, "cancelled", "given up", by="exchange"), **RUNG}), **RUNG, **GIVEN_UP
        ),
    ),
    (
        "gave-up",
        unanswered(
            leg(**{**failed(487, 16, "cancelled", "given up", by="exchange"), **RUNG}), **RUNG, **GIVEN_UP
        ),
    ),
    (
        "divert-not-taken",
        unanswered(
            leg(**failed(486, 17, "busy", "Busy Here"), leg_reason="divert_all of line bob: trunk acme"),
            **{**failed(480, 20, "divert_unavailable", NOWHERE, by="exchange"), "destination": "bob"},
        ),
    ),
    ("voicemail", call(target=voice())),
    ("voicemail", call(target=voice(reason="plan office: queue sales"))),
    ("busy", by(refusal.CALLEE_FULL, destination="bob")),
    ("unreachable-there", unanswered(leg(**failed(480, 20, "unavailable", "Temporarily Unavailable")))),
    ("no-answer", unanswered(leg(**failed(480, 19, "no_answer", "No Answer", at_s=60)))),
    ("hung-up-at-once", story(cdr(**failed(480, 16, "unavailable", "the callee hung up at once")), phone())),
    (
        "far-voicemail",
        call(
            target=leg(destination=MOBILE),
            destination=MOBILE,
            answered_at_ms=T0 + 22_000,
            duration_ms=5_000,
            cost_micros=9_000,
        ),
    ),
    (
        "answered-elsewhere",
        replace(
            call(target=phone()),
            legs=[
                *call(target=phone()).legs,
                *story(phone(2, **failed(487, 26, "cancelled", "answered elsewhere", by="exchange"))).legs,
            ],
        ),
    ),
    ("emergency", call(is_emergency=True, destination="emergency", dialled="999")),
    (
        "",
        call(
            target=leg(2, trunk="bravo"),
            decisions="presentation number not the line's own: network number shown",
        ),
    ),
]

# What a bad day's carrier does: the first one failed, the second one took the call. Nobody has anything to complain of.
ANSWERS.append(
    (
        "",
        story(
            cdr(destination=CALLED), carrier(503, 34), leg(2, trunk="bravo"), media={0: sound(0), 2: sound(2)}
        ),
    )
)


STUN: Final = registration(
    "registered",
    at_s=-7200,
    contact="<sip:bob@198.51.100.9:5060>",
    via="SIP/2.0/UDP 198.51.100.9:5060;branch=z9hG4bKa;rport call-id@192.168.1.20",
)

# Stories with two faults, or with more to say of one: the first finding, and words that must be said.
MORE: Final[list[tuple[str, str, CallStory]]] = [
    (
        "one-way-audio-alg",
        "via rewritten",
        replace(call(media={0: sound(0, packets=0), 1: sound(1)}), registrations=[registered_through_alg()]),
    ),
    (
        "not-registered",
        "on the called line 01632 960002 at that time",
        by(refusal.NOT_REGISTERED, destination="+441632960002", dialled="01632960002"),
    ),
    ("divert-dead", "is not in use", sent_on_always(404, 1, "not_found")),
    ("ack-lost-caller", "may be rewriting SIP", replace(unconfirmed(), registrations=[STUN])),
    (
        "registration-expired",
        "its connection broke",
        unregistered(registrations=[REGISTERED, registration("lost", at_s=-600)]),
    ),
    (
        "phone-vanished",
        "the registration of line bob ended",
        replace(vanished(target=phone()), registrations=[REGISTERED, registration("expired", at_s=30)]),
    ),
    (
        "carrier-vanished",
        "Nothing came from carrier acme after 10:25:06, while the other end was heard for 4 minutes 59 seconds more",
        vanished(media={0: falls_silent(0, after_ms=899_900), 1: falls_silent(1, after_ms=600_000)}),
    ),
    (
        "phone-vanished",
        "Nothing came from the phone of line anna after 10:25:06",
        vanished(media={0: falls_silent(0, after_ms=600_000), 1: falls_silent(1, after_ms=899_900)}),
    ),
    (
        "phone-vanished",
        "did not answer our",
        traced(
            vanished(media={0: falls_silent(0, after_ms=899_900), 1: falls_silent(1, after_ms=600_000)}),
            refreshed(good_dialog(0), 0, sent=True),
            good_dialog(1),
        ),
    ),
    (
        "carrier-silent",
        "sent 4 times",
        traced(
            unanswered(leg(**from_us(NO_SIGN_OF_RINGING)), outcome="no_answer"),
            Talk(1)
            .request("INVITE", 0, sent=True)
            .request("INVITE", 0.5, sent=True)
            .request("INVITE", 1.5, sent=True)
            .request("INVITE", 3.5, sent=True),
        ),
    ),
    (
        "carrier-no-circuit",
        "after 30 seconds",
        traced(
            unanswered(carrier(503, 34)),
            Talk(1)
            .request("INVITE", 0, sent=True)
            .response(503, "INVITE", 3, sent=False, fields="Retry-After: 30\r\n"),
        ),
    ),
    (
        "codec-phone",
        "speaks G729",
        traced(
            unanswered(phone(**failed(488, 65, "failed", "Not Acceptable Here"))),
            Talk(0).request("INVITE", 0, sent=False, sdp=sdp_of("198.51.100.7")),
            Talk(1)
            .request("INVITE", 0, sent=True, sdp=sdp_of(US))
            .response(
                488,
                "INVITE",
                3,
                sent=False,
                fields='Warning: 305 phone "Incompatible media format"\r\n',
                sdp=sdp_of("198.51.100.9", codecs="18 G729"),
            ),
        ),
    ),
    (
        "codec-phone",
        "Incompatible media format",
        traced(
            unanswered(phone(**failed(488, 65, "failed", "Not Acceptable Here"))),
            Talk(1)
            .request("INVITE", 0, sent=True)
            .response(
                488, "INVITE", 3, sent=False, fields='Warning: 305 phone "Incompatible media format"\r\n'
            ),
        ),
    ),
    (
        "one-way-audio-from-carrier",
        "an address inside its own network",
        traced(
            call(media={0: sound(0), 1: sound(1, packets=0)}),
            good_dialog(0),
            Talk(1)
            .request("INVITE", 0, sent=True)
            .response(200, "INVITE", 6, sent=False, sdp=sdp_of("10.1.2.3")),
        ),
    ),
    (
        "session-timer",
        "was never answered",
        traced(
            call(duration_ms=900_000, ended_by="caller"),
            refreshed(good_dialog(0), 0, sent=False),
            good_dialog(1),
        ),
    ),
    (
        "no-credit",
        "heard an announcement",
        story(
            cdr(**failed(402, 21, "no_credit", refusal.NO_CREDIT.words, by="exchange")),
            voice(reason="announcement no-credit"),
        ),
    ),
    ("phone-does-not-hear-us", "", FAULTS["phone-does-not-hear-us"]),
]
