import csv
import io
import json
import zipfile

import msgspec
import pytest

from care.export.carrier_bundle import carrier_bundle, readme, records_csv
from care.export.carrier_view import BundleError, carrier_view, trunks_of
from care.export.csv_export import legs_csv, messages_csv
from care.export.json_export import json_file
from care.ladder import ladder_of
from care.ladder.text import draw
from care.story import CallStory
from rating.records import Alarm
from tests.care.export.tshark import needs_tshark, rows
from tests.care.stories import (
    ALICE,
    CARRIER,
    INVITE,
    OTHER_ID,
    caller_leg,
    carrier_leg,
    carrier_message,
    message,
    messages_of_a_good_call,
    said,
    sdp,
    story,
)
from tests.provisioning.records import AT_MS
from traces.call_trace import UNKNOWN_LEG, TraceFlow

HOSTILE = ["=HYPERLINK(1)", "+1+1", "-2+3", "@SUM(A1)", " =cmd|' /C calc'!A0", "\t=1", "%0A=1"]
BETA = TraceFlow("UDP", "203.0.113.99", 5060, "198.51.100.1", 5060)


def failed_over() -> CallStory:
    """Tried at beta, which refuses, then taken by alpha; alice's own messages and an unknown one beside them."""
    refused = carrier_leg(2, trunk="beta", leg_reason="trunk beta: gamma is down", outcome="failed", sip_status=503,
                          q850_cause=34, ended_by="callee", reason="503 Service Unavailable (34)", answered_at_ms=None,
                          ringing_at_ms=None, setup_at_ms=AT_MS + 20, ended_at_ms=AT_MS + 140,
                          destination_address="udp:203.0.113.99:5060", sip_call_id="beta-id",
                          buy_micros=77_777, decisions="retail margin", payer_account_id=4711)  # fmt: skip
    beta = {"call_id": "beta-id", "branch": "z9hG4bKbeta"}
    messages = [
        *messages_of_a_good_call(),
        said(20, is_sent=True, leg=2, data=message(INVITE, body=sdp("198.51.100.1", 30000), **beta)),
        said(140, is_sent=False, leg=2, data=message(
            "SIP/2.0 503 Service Unavailable", 'Reason: Q.850;cause=34;text="no circuit"', **beta)),
        said(150, is_sent=False, leg=UNKNOWN_LEG, flow=0, data=message("OPTIONS sip:secret SIP/2.0")),
    ]  # fmt: skip
    caller = caller_leg(dialled="*999secret", user_agent="Alice's phone", decisions="cap near")
    one = story(caller, carrier_leg(), refused, messages=sorted(messages, key=lambda each: each.at_us),
                flows=[ALICE, CARRIER, BETA])  # fmt: skip
    alarm = Alarm("a", 1, "fraud", AT_MS, "Example Ltd spends", None)
    return msgspec.structs.replace(one, alarms=[alarm])


def test_json_has_everything_by_its_name():
    broken = said(99_000, is_sent=False, leg=0, data=b"\xff\x1b[2J\x00")
    found = json.loads(json_file(story(messages=[*messages_of_a_good_call(), broken])))
    assert [leg["trunk"] for leg in found["legs"]] == ["", "alpha"]
    assert found["legs"][0]["account"] == "Example Ltd"
    first = found["trace"]["messages"][0]
    assert (first["at"], first["direction"], first["transport"], first["remote"]) == (
        "2026-01-01T00:00:00.000000Z", "received", "UDP", "192.0.2.10:5062")  # fmt: skip
    assert first["text"].startswith("INVITE sip:+442079460123@example.com SIP/2.0\r\n")
    assert found["trace"]["messages"][17]["text"] == "\\xff\x1b[2J\x00"
    assert found["trace"]["messages"][17]["base64"] == "/xtbMkoA"


def test_json_moves_no_cursor():
    text = json_file(story(caller_leg(user_agent="\x9b2J\u202e\U000e0001"))).decode()
    assert all(line.isprintable() for line in text.split("\n"))
    assert json.loads(text)["legs"][0]["user_agent"] == "\x9b2J\u202e\U000e0001"


def test_csv_has_a_row_a_leg_or_one_a_message():
    legs = list(csv.DictReader(io.StringIO(legs_csv(story()))))
    assert [(row["leg"], row["trunk"], row["cost_pounds"]) for row in legs] == [
        ("0", "", "0.012400"),
        ("1", "alpha", "0.000000"),
    ]
    messages = list(csv.DictReader(io.StringIO(messages_csv(story()))))
    assert len(messages) == 17
    assert messages[5]["repeat"] == "1"
    assert (messages[4]["at_utc"], messages[4]["direction"], messages[4]["message"]) == (
        "2026-01-01T00:00:00.042000Z", "sent", "INVITE (SDP)")  # fmt: skip
    assert list(csv.DictReader(io.StringIO(messages_csv(story(no_trace="none"))))) == []


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_cell_is_a_formula(hostile):
    one = story(
        caller_leg(user_agent=hostile, line=hostile, dialled=hostile, reason=hostile),
        carrier_leg(destination="+442079460123", sip_call_id=hostile),
        messages=[
            said(0, is_sent=False, leg=0, data=message(f"SIP/2.0 486 {hostile}", f"Reason: {hostile}"))
        ],
    )
    for text in (legs_csv(one), messages_csv(one), records_csv(carrier_view(one, "alpha"))):
        for row in list(csv.reader(io.StringIO(text)))[1:]:
            for cell in row:
                assert not cell.lstrip().startswith(("=", "+", "-", "@", "\t", "\r", "|", "%"))


def test_a_carrier_sees_his_own_leg_and_nothing_else():
    view = carrier_view(failed_over(), "beta")
    assert [each.cdr.leg for each in view.legs] == [2]
    assert {each.leg for each in view.trace.messages} == {2}
    assert view.trace.flows == [BETA]
    assert (view.alarms, view.registrations) == ([], [])
    made = zipfile.ZipFile(io.BytesIO(carrier_bundle(failed_over(), "beta")))
    assert sorted(made.namelist()) == ["README.txt", "ladder.txt", "records.csv", "trace.pcapng"]
    everything = b"".join(made.read(name) for name in made.namelist())
    for theirs in (b"alice\n", b"alpha", b"Example Ltd", b"999secret", b"Alice's phone", b"margin", b"gamma", b"77777",
                   b"192.0.2.10:5062\n", b"203.0.113.5", b"4711", b"0.0124", b"cap near", OTHER_ID.encode(),
                   b"OPTIONS", b"retail"):  # fmt: skip
        assert theirs not in everything, theirs


def test_of_a_carriers_record_only_what_is_named_is_left():
    """A field of a record that nobody has named yet is blank."""
    row = failed_over().legs[2].cdr
    kept = carrier_view(failed_over(), "beta").legs[0].cdr
    changed = {name for name in row.__struct_fields__ if getattr(kept, name) != getattr(row, name)}
    assert changed >= {"payer_account_id", "buy_micros", "decisions", "dialled", "leg_reason", "reason", "tariff",
                       "balance_after_micros", "other_sip_call_id", "other_user_agent", "rate_prefix"}  # fmt: skip
    assert kept.payer_account_id is None or kept.payer_account_id == 0


def test_what_happened_is_said_from_the_carriers_side():
    assert readme(carrier_view(failed_over(), "beta")).split("\n\n")[1] == (
        "We sent you a call from +441632960001 to +442079460123 at 2026-01-01T00:00:00.020Z (SIP Call-ID beta-id). "
        'You answered 503 Service Unavailable after 0.120 s. Your Reason: Q.850;cause=34;text="no circuit".'
    )
    assert readme(carrier_view(failed_over(), "alpha")).split("\n\n")[1] == (
        "We sent you a call from +441632960001 to +442079460123 at 2026-01-01T00:00:00.000Z (SIP Call-ID"
        " f81d4fae7dec11d0). You signalled ringing after 0.850 s. You answered after 3.2 s. The call lasted 1 min 1 s"
        " and was ended by our side at 2026-01-01T00:01:04.201Z (Q.850 cause 16)."
    )


def test_a_call_from_a_carrier_is_told_the_other_way_round():
    came = caller_leg(line="", trunk="alpha", account_id=None, outcome="cancelled", ended_by="caller",
                      answered_at_ms=None, ended_at_ms=AT_MS + 21_000, destination="bob")  # fmt: skip
    one = story(came, carrier_leg(1, trunk="", line="bob", leg_reason="a phone of line bob"))
    assert readme(carrier_view(one, "alpha")).split("\n\n")[1] == (
        "You sent us a call from +441632960001 to a number of ours at 2026-01-01T00:00:00.000Z (SIP Call-ID"
        " a84b4c76e66710). We signalled ringing after 0.850 s. It was cancelled by you after 21 s."
        " Your Reason: Q.850;cause=16."
    )
    record = next(csv.DictReader(io.StringIO(records_csv(carrier_view(one, "alpha")))))
    assert (record["direction"], record["your_address"], record["to"]) == (
        "from you",
        "udp:192.0.2.10:5062",
        "",
    )


def test_without_a_leg_of_that_trunk_there_is_no_bundle():
    with pytest.raises(BundleError, match="it has: alpha, beta"):
        carrier_bundle(failed_over(), "gamma")
    with pytest.raises(BundleError):
        carrier_bundle(story(caller_leg()), "")
    assert trunks_of(failed_over()) == ["alpha", "beta"]


def test_a_bundle_without_a_trace_says_so():
    made = zipfile.ZipFile(io.BytesIO(carrier_bundle(story(no_trace="too old"), "alpha")))
    assert sorted(made.namelist()) == ["README.txt", "ladder.txt", "records.csv"]
    assert "No SIP messages of this call were kept." in made.read("README.txt").decode()


def test_a_bundle_is_the_same_whenever_it_is_made():
    assert carrier_bundle(failed_over(), "beta") == carrier_bundle(failed_over(), "beta")


def test_a_carriers_ladder_has_no_caller():
    names = [one.name for one in ladder_of(carrier_view(failed_over(), "beta")).participants]
    assert names == ["Offhook", "trunk beta"]
    drawn = "\n".join(draw(ladder_of(carrier_view(failed_over(), "beta")), 80))
    assert "503 Service Unavailable" in drawn
    assert "198.51.100.1:5060" in drawn


@needs_tshark
def test_the_capture_in_a_bundle_has_only_that_leg(tmp_path):
    made = zipfile.ZipFile(io.BytesIO(carrier_bundle(failed_over(), "beta")))
    path = tmp_path / "trace.pcapng"
    path.write_bytes(made.read("trace.pcapng"))
    assert {row["sip.Call-ID"] for row in rows(path)} == {"beta-id"}


def test_hostile_text_in_a_bundle_moves_no_cursor():
    hostile = "\x1b[2J\u202e\ud83d" + "x" * 10_000
    data = carrier_message(f"SIP/2.0 486 {hostile}", f"Reason: {hostile}")
    one = story(
        caller_leg(),
        carrier_leg(user_agent=hostile, outcome="busy", answered_at_ms=None, sip_call_id=hostile),
        messages=[said(0, is_sent=False, leg=1, data=data)],
    )
    made = zipfile.ZipFile(io.BytesIO(carrier_bundle(one, "alpha")))
    for name in ("README.txt", "records.csv", "ladder.txt"):
        lines = made.read(name).decode().replace("\r\n", "\n").split("\n")
        assert all(line.isprintable() for line in lines), name
