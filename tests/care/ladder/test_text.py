import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from care.ladder import ladder_of
from care.ladder.cells import Canvas, cell_width, clipped
from care.ladder.text import Tone, draw, seconds_words, toned
from tests.care.ladder.test_ladder import phone_leg
from tests.care.stories import caller_leg, carrier_leg, message, said, story

EXPECTED = """\
              caller                                              carrier
               alice                    Offhook                 trunk alpha
           +441632960001                                       +442079460123
        UDP 192.0.2.10:5062      UDP 198.51.100.1:5060     UDP 203.0.113.5:5060
     0.000       │───── INVITE (SDP) ─────▶│                         │
                 │   PCMA 10.0.0.5:4000 private                      │
     0.000       │◀─ 407 Proxy Authentic…──│                         │
     0.015       │────────── ACK ─────────▶│                         │
     0.040       │───── INVITE (SDP) ─────▶│                         │
                 │   PCMA 10.0.0.5:4000 private                      │
     0.042       │                         │───── INVITE (SDP) ─────▶│
                 │                         │   PCMA 198.51.100.1:30000
     0.542       │                         │╌╌╌ ↻ INVITE (SDP) x2 ╌╌▶│
     0.560       │                         │◀───── 100 Trying ───────│
     0.850       │                         │◀───── 180 Ringing ──────│
     0.850       │◀───── 180 Ringing ──────│                         │
    +2.3 s       ┊                         ┊                         ┊"""


def test_a_call_is_drawn():
    assert "\n".join(draw(ladder_of(story()), 80)).startswith(EXPECTED)


@pytest.mark.parametrize("width", [1, 80, 81, 100, 132, 200, 10_000])
def test_no_line_is_wider_than_asked_for_and_none_has_a_control_character(width):
    hostile = "\x1b]0;x\x07\u202e\u0301東京\ud83d" + "電" * 5_000
    ladder = ladder_of(
        story(
            caller_leg(line=hostile),
            carrier_leg(reason=hostile, outcome="failed"),
            *[phone_leg(leg, f"line{leg}{hostile}") for leg in range(2, 9)],
            messages=[
                said(0, is_sent=False, leg=0, data=message(f"SIP/2.0 486 {hostile}", f"Reason: {hostile}")),
                said(1, is_sent=True, leg=8, flow=0, data=message("INVITE sip:x SIP/2.0")),
            ],
            dropped=5,
        )
    )
    lines = draw(ladder, width)
    assert max(map(cell_width, lines)) <= max(80, min(width, 200))
    for line in lines:
        assert not [c for c in line if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}]


def test_lines_know_what_they_are():
    tones = {line.tone for line in toned(ladder_of(story()), 80)}
    assert tones == {Tone.HEAD, Tone.PLAIN, Tone.REPEAT, Tone.MUTED, Tone.EVENT}
    failed = story(messages=[said(0, is_sent=True, leg=0, data=message("SIP/2.0 503 No"))])
    assert Tone.ERROR in {line.tone for line in toned(ladder_of(failed), 80)}


def test_legs_in_one_column_are_told_apart():
    legs = [phone_leg(leg) for leg in range(1, 8)]
    messages = [said(0, is_sent=True, leg=3, flow=0, data=message("INVITE sip:x SIP/2.0"))]
    assert any(
        "INVITE [leg 3]" in line
        for line in draw(ladder_of(story(caller_leg(), *legs, messages=messages)), 80)
    )


@given(st.text(max_size=60), st.integers(1, 30))
def test_clipping_keeps_to_its_cells(text, cells):
    assert cell_width(clipped(text, cells)) <= cells


@given(st.lists(st.tuples(st.integers(-3, 40), st.text(max_size=20)), max_size=8))
def test_a_canvas_stays_a_line_of_its_width(puts):
    canvas = Canvas(40)
    for at, text in puts:
        canvas.put(at, text)
    assert cell_width(canvas.text()) <= 40


def test_times_are_in_peoples_words():
    assert [seconds_words(us) for us in (0, 412_900, 4_250_000, 31_000_000, 899_000_000)] == [
        "0.000 s",
        "0.412 s",
        "4.2 s",
        "31 s",
        "14 min 59 s",
    ]
