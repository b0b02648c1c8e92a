import msgspec
from hypothesis import given
from hypothesis import strategies as st

from care.export.csv_export import messages_csv
from care.export.json_export import json_file
from care.export.pcapng import pcapng_file
from care.ladder import Role, ladder_of, svg, text
from care.ladder.ladder import UNREADABLE, folded
from care.ladder.model import NO_MESSAGE
from care.ladder.session_facts import sound_words
from care.ladder.sip_facts import sip_facts
from tests.care.stories import (
    ALICE,
    CARRIER,
    INVITE,
    START_US,
    caller_leg,
    carrier_leg,
    carrier_message,
    message,
    messages_of_a_good_call,
    said,
    sdp,
    story,
)
from tests.provisioning.records import AT_MS, cdr
from traces.call_trace import UNKNOWN_LEG, TraceFlow


def phone_leg(leg: int, line: str = "bob", **facts: object) -> object:
    return cdr("c1", leg, **{"line": line, "trunk": "", "leg_reason": f"a phone of line {line}",
                             "outcome": "cancelled", "reason": "answered elsewhere", "per_minute_micros": None,
                             "answered_at_ms": None, "destination_address": f"udp:192.0.2.{20 + leg}:5060",
                             **facts})  # fmt: skip


def test_columns_stand_in_the_order_of_a_reader():
    ladder = ladder_of(story())
    assert [(one.role, one.name) for one in ladder.participants] == [
        (Role.CALLER, "alice"),
        (Role.EXCHANGE, "Offhook"),
        (Role.CARRIER, "trunk alpha"),
    ]
    assert [one.address for one in ladder.participants] == [
        "UDP 192.0.2.10:5062",
        "UDP 198.51.100.1:5060",
        "UDP 203.0.113.5:5060",
    ]


def test_each_message_is_a_rung_between_the_exchange_and_its_peer():
    ladder = ladder_of(story())
    messages = [rung for rung in ladder.rungs if not rung.is_event]
    assert [rung.message for rung in messages] == list(range(len(messages_of_a_good_call())))
    assert [(rung.source, rung.target, rung.label) for rung in messages[:5]] == [
        (0, 1, "INVITE (SDP)"),
        (1, 0, "407 Proxy Authentication Required"),
        (0, 1, "ACK"),
        (0, 1, "INVITE (SDP)"),
        (1, 2, "INVITE (SDP)"),
    ]
    assert messages[0].facts == ["PCMA 10.0.0.5:4000 private"]
    assert messages[0].cseq == "1 INVITE"
    assert messages[13].facts == ["Reason Q.850;cause=16"]


def test_a_repeat_is_the_same_message_again_and_nothing_else_is():
    repeats = [(rung.message, rung.repeat) for rung in ladder_of(story()).rungs if rung.repeat]
    assert repeats == [(5, 1)]


def test_the_same_request_in_another_transaction_is_no_repeat():
    """A trunk's next address is asked with the same Call-ID and CSeq, under another branch."""
    messages = [
        said(0, is_sent=True, leg=1, data=carrier_message(INVITE)),
        said(5, is_sent=True, leg=1, data=carrier_message(INVITE, branch="z9hG4bKnext")),
        said(9, is_sent=True, leg=1, data=carrier_message(INVITE)),
    ]
    rungs = ladder_of(story(messages=messages)).rungs
    assert [rung.repeat for rung in rungs if not rung.is_event] == [0, 0, 1]


@given(st.lists(st.binary(max_size=200) | st.sampled_from([b"INVITE", b" ", b"SIP/2.0 486 Busy\r\n", b"v=0\r\nm="]),
                max_size=6))  # fmt: skip
def test_whatever_came_is_drawn(pieces):
    messages = [said(index, is_sent=bool(index % 2), leg=index % 3 - 1, flow=index % 4, data=data)
                for index, data in enumerate([*pieces, b"".join(pieces)])]  # fmt: skip
    one = story(messages=messages)
    ladder = ladder_of(one)
    assert len([rung for rung in ladder.rungs if not rung.is_event]) == len(messages)
    assert text.draw(ladder, 80)
    assert svg.draw(ladder, narrow=True).endswith("</svg>")
    assert pcapng_file(one)
    assert json_file(one)
    assert messages_csv(one)


def test_reading_is_linear_in_the_size_of_a_message():
    """A start line of nothing but blanks took a minute with a pattern that tries each of them as the end."""
    blanks = b" " * 60_000
    for data in (b"INVITE x" + blanks + b"y", b"INVITE" + blanks, b"SIP/2.0 200" + blanks, b"a: ;" * 15_000):
        assert sip_facts(data) is None or sip_facts(data).status == 200


def test_two_provisional_answers_with_other_bodies_are_no_repeat():
    def progress(port: int) -> bytes:
        return carrier_message("SIP/2.0 183 Session Progress", to_tag="c", body=sdp("203.0.113.6", port))

    rungs = ladder_of(
        story(
            messages=[
                said(0, is_sent=False, leg=1, data=progress(20000)),
                said(5, is_sent=False, leg=1, data=progress(20002)),
                said(9, is_sent=False, leg=1, data=progress(20002)),
            ]
        )
    ).rungs
    assert [rung.repeat for rung in rungs if not rung.is_event] == [0, 0, 1]


def test_a_challenge_is_muted_and_no_error_but_a_refusal_is_one():
    rungs = ladder_of(
        story(
            messages=[
                said(0, is_sent=True, leg=0, data=message("SIP/2.0 401 Unauthorized")),
                said(1, is_sent=True, leg=0, data=message("SIP/2.0 403 Forbidden", cseq="2 INVITE")),
                said(
                    2, is_sent=True, leg=0, data=message("SIP/2.0 503 Service Unavailable", cseq="3 INVITE")
                ),
                said(3, is_sent=True, leg=0, data=message("SIP/2.0 302 Moved", cseq="4 INVITE")),
            ]
        )
    ).rungs
    found = [(rung.label[:3], rung.is_muted, rung.is_error) for rung in rungs if not rung.is_event]
    assert found == [("401", True, False), ("403", False, True), ("503", False, True), ("302", False, False)]


def test_the_487_of_what_was_cancelled_is_no_error_but_one_out_of_the_blue_is():
    rungs = ladder_of(
        story(
            messages=[
                said(0, is_sent=True, leg=1, data=carrier_message("CANCEL sip:x SIP/2.0", cseq="1 CANCEL")),
                said(1, is_sent=False, leg=1, data=carrier_message("SIP/2.0 487 Request Terminated")),
                said(
                    2, is_sent=False, leg=1, data=carrier_message("SIP/2.0 487 Terminated", branch="z9hG4bKq")
                ),
            ]
        )
    ).rungs
    assert [rung.is_error for rung in rungs if not rung.is_event] == [False, False, True]


def test_a_pause_of_a_second_is_marked_and_one_just_below_is_not():
    quick = message("OPTIONS sip:x SIP/2.0", cseq="9 OPTIONS")
    messages = [said(at, is_sent=False, leg=0, data=quick) for at in (0, 999.999, 1999.999)]
    rungs = ladder_of(story(messages=messages)).rungs
    assert [(rung.since_us, rung.is_late) for rung in rungs[:3]] == [
        (0, False),
        (999_999, False),
        (1_000_000, True),
    ]


def test_what_cannot_be_read_is_drawn_all_the_same():
    messages = [
        said(at, is_sent=False, leg=0, data=data)
        for at, data in enumerate(
            [b"", b"\x00\xff" * 40, b"GET / HTTP/1.1\r\n\r\n", b"\r\n\r\n", b"SIP/2.0 999"]
        )
    ]
    rungs = [rung for rung in ladder_of(story(messages=messages)).rungs if not rung.is_event]
    assert [rung.label for rung in rungs] == [UNREADABLE] * 5
    assert all(rung.is_unreadable and not rung.is_error for rung in rungs)


def test_a_message_that_fits_no_leg_stands_at_its_address():
    stranger = TraceFlow("TCP", "192.0.2.99", 40000, "198.51.100.1", 5060)
    ladder = ladder_of(
        story(
            messages=[
                said(0, is_sent=False, leg=UNKNOWN_LEG, flow=2, data=message(INVITE)),
                said(1, is_sent=True, leg=UNKNOWN_LEG, flow=0, data=message("SIP/2.0 200 OK")),
                said(2, is_sent=True, leg=7, flow=99, data=message("SIP/2.0 200 OK")),
            ],
            flows=[ALICE, CARRIER, stranger],
        )
    )
    assert [rung.source for rung in ladder.rungs[:1]] == [3]
    assert ladder.participants[3].address == "TCP 192.0.2.99:40000"
    assert ladder.rungs[1].target == 0
    assert ladder.rungs[2].target == 4


def test_an_address_other_than_the_columns_is_said():
    elsewhere = TraceFlow("UDP", "203.0.113.77", 5060, "198.51.100.1", 5060)
    ladder = ladder_of(
        story(
            messages=[
                said(0, is_sent=True, leg=1, flow=1, data=carrier_message(INVITE)),
                said(1, is_sent=False, leg=1, flow=2, data=carrier_message("SIP/2.0 100 Trying")),
            ],
            flows=[ALICE, CARRIER, elsewhere],
        )
    )
    assert [rung.facts for rung in ladder.rungs[:2]] == [[], ["from UDP 203.0.113.77:5060"]]


def test_events_of_the_records_stand_after_the_messages_of_their_millisecond():
    labels = [rung.label for rung in ladder_of(story()).rungs]
    assert labels.index("charged from here") == labels.index("200 OK (SDP)") + 2
    assert "ended by the caller: the caller hung up" in labels


def test_a_leg_that_failed_says_why():
    failed = carrier_leg(outcome="failed", sip_status=503, reason="503 Service Unavailable", answered_at_ms=None,
                         ended_at_ms=AT_MS + 120)  # fmt: skip
    ladder = ladder_of(story(caller_leg(), failed))
    found = next(rung for rung in ladder.rungs if rung.label.startswith("leg 1 ended"))
    assert (found.label, found.source, found.is_error) == ("leg 1 ended: 503 Service Unavailable", 2, True)


def test_without_a_trace_the_records_draw_the_call():
    ladder = ladder_of(story(no_trace="tracing is switched off"))
    assert "tracing is switched off" in ladder.notes[0]
    assert [(rung.label, rung.source, rung.target) for rung in ladder.rungs] == [
        ("called", 0, 1),
        ("called", 1, 2),
        ("ringing", 2, 1),
        ("ringing", 1, 0),
        ("answered", 2, 1),
        ("answered", 1, 0),
        ("charged from here", 1, 1),
        ("ended by the caller: the caller hung up", 1, 1),
    ]
    assert all(rung.message == NO_MESSAGE for rung in ladder.rungs)


def test_a_trace_with_a_gap_says_so():
    assert "17 messages were not kept" in ladder_of(story(dropped=17)).notes[0]
    assert not ladder_of(story()).notes


def test_the_charge_for_an_attempt_is_nobodys_column():
    ladder = ladder_of(story(caller_leg(), carrier_leg(), msgspec.structs.replace(caller_leg(), leg=10_000)))
    assert len(ladder.participants) == 3


def test_voicemail_is_named_as_such_and_has_one_column():
    def voicemail(leg: int) -> object:
        return phone_leg(leg, destination="voicemail", leg_reason="divert_no_answer",
                         destination_address="udp:127.0.0.1:5080")  # fmt: skip

    ladder = ladder_of(story(caller_leg(), phone_leg(1), voicemail(2), voicemail(3)))
    assert [(one.role, one.name, one.legs) for one in ladder.participants[2:]] == [
        (Role.CALLED, "bob", [1]),
        (Role.MEDIA_SERVER, "voicemail", [2, 3]),
    ]


def test_a_line_called_voicemail_is_a_phone():
    ladder = ladder_of(story(caller_leg(), phone_leg(1, "voicemail", destination="voicemail")))
    assert ladder.participants[2].role is Role.CALLED


def test_many_phones_are_put_together_a_lines_own_first():
    legs = [phone_leg(leg) for leg in (1, 2, 3)] + [phone_leg(4, "carol"), phone_leg(5, "dave")]
    ladder = ladder_of(story(caller_leg(), *legs))
    assert [(one.name, one.legs) for one in ladder.participants[2:]] == [
        ("bob", [1, 2, 3]),
        ("carol", [4]),
        ("dave", [5]),
    ]
    narrow = folded(ladder, 3)
    assert [(one.name, one.legs) for one in narrow.participants[2:]] == [
        ("bob, carol, dave", [1, 2, 3, 4, 5])
    ]
    assert {rung.source for rung in narrow.rungs} <= {0, 1, 2}


def test_a_hundred_forks_are_six_columns():
    ladder = ladder_of(story(caller_leg(), *[phone_leg(leg, f"line{leg}") for leg in range(1, 101)]))
    assert len(ladder.participants) == 6
    assert len(ladder.participants[5].legs) == 97


def test_texts_of_others_are_escaped_and_clipped():
    hostile = "\x1b[2J\u202eevil" + "x" * 10_000
    ladder = ladder_of(
        story(
            caller_leg(user_agent=hostile, line=hostile),
            carrier_leg(trunk=hostile, outcome="failed", reason=hostile),
            messages=[
                said(0, is_sent=False, leg=0, data=message(f"SIP/2.0 486 {hostile}", f"Reason: {hostile}")),
                said(1, is_sent=False, leg=0, data=message(INVITE, f'Contact: "{hostile}" <sip:a@b>')),
            ],
        )
    )
    texts = [text for rung in ladder.rungs for text in (rung.label, rung.cseq, *rung.facts)]
    texts += [
        text for one in ladder.participants for text in (one.name, one.address, one.user_agent, one.number)
    ]
    assert all(text.isprintable() and len(text) < 300 for text in texts)


def test_facts_are_read_from_compact_and_folded_fields_and_from_a_clipped_head():
    facts = sip_facts(
        b"BYE sip:x SIP/2.0\nv: SIP/2.0/UDP h\n ;branch=z9hG4bKx\ni: abc\nCSeq:\t7  BYE\nt: <sip:b>;tag=q"
    )
    assert facts is not None
    assert (facts.branch, facts.call_id, facts.cseq, facts.to_tag) == ("z9hG4bKx", "abc", "7 BYE", "q")


def test_a_tag_in_a_uri_is_not_the_dialogs():
    facts = sip_facts(b"INVITE sip:x SIP/2.0\r\nTo: <sip:b;tag=x@example.com>\r\n\r\n")
    assert facts is not None
    assert facts.to_tag == ""


def test_an_invite_in_a_dialog_is_a_re_invite():
    rungs = ladder_of(story(messages=[said(0, is_sent=False, leg=0, data=message(INVITE, to_tag="t"))])).rungs
    assert rungs[0].label == "re-INVITE"


def test_sound_is_told_in_a_few_words():
    assert sound_words(sdp().encode()) == "PCMA 10.0.0.5:4000 private"
    assert sound_words(sdp("203.0.113.6", 20000).encode()) == "PCMA 203.0.113.6:20000"
    opus = (
        b"v=0\nc=IN IP6 2001:db8::1\nm=audio 9 UDP/TLS/RTP/SAVPF 111\na=rtpmap:111 opus/48000/2\na=sendonly\n"
    )
    assert sound_words(opus) == "opus [2001:db8::1]:9 encrypted sendonly"
    assert (
        sound_words(b"m=audio 0 RTP/AVP 0\nm=video 5000 RTP/AVP 99\n")
        == "PCMU refused, video payload 99 ?:5000"
    )
    assert sound_words(b"\xff\xfe") == ""


def test_started_is_the_first_message():
    assert ladder_of(story()).started_at_us == START_US


def test_a_call_that_is_up_has_not_ended() -> None:
    up = {"outcome": "open", "reason": "", "ended_by": ""}
    last = ladder_of(story(caller_leg(**up), carrier_leg(**up), no_trace="none")).rungs[-1]
    assert (last.label, last.is_error) == ("still up when this was asked", False)
