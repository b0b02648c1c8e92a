import re
import unicodedata
from xml.etree import ElementTree

import pytest

from care.ladder import ladder_of, svg
from care.ladder.svg_shapes import escaped
from care.story import CallStory
from tests.care.ladder.test_ladder import phone_leg
from tests.care.stories import caller_leg, carrier_leg, message, messages_of_a_good_call, said, story

NAMESPACE = "{http://www.w3.org/2000/svg}"
HOSTILE = (
    '</text><script>alert(\'x\')</script>" onload="x" &amp; \u202eevil\x1b[2J\x00\ud83d]]>' + "A" * 10_000
)


def hostile_story() -> CallStory:
    return story(
        caller_leg(line=HOSTILE, user_agent=HOSTILE, presentation_number=HOSTILE, source_address=HOSTILE),
        carrier_leg(trunk=HOSTILE, reason=HOSTILE, outcome="failed"),
        messages=[
            said(
                0,
                is_sent=False,
                leg=0,
                data=message(f"SIP/2.0 486 {HOSTILE}", f"Reason: {HOSTILE}", cseq=HOSTILE),
            ),
            said(
                1, is_sent=True, leg=1, data=message("INVITE sip:x SIP/2.0", f'Contact: "{HOSTILE}" <sip:x>')
            ),
            said(2, is_sent=True, leg=1, data=HOSTILE.encode("utf-8", "surrogatepass")),
        ],
        dropped=3,
    )


def tree(drawn: str) -> ElementTree.Element:
    return ElementTree.fromstring(drawn)


@pytest.mark.parametrize("narrow", [False, True])
def test_hostile_text_stays_text(narrow):
    drawn = svg.draw(ladder_of(hostile_story()), narrow=narrow)
    names = {element.tag.removeprefix(NAMESPACE) for element in tree(drawn).iter()}
    assert names <= {"svg", "style", "rect", "g", "title", "a", "text", "line", "path"}
    attributes = {name for element in tree(drawn).iter() for name in element.attrib}
    assert not [name for name in attributes if name.startswith("on")]
    assert not [c for c in drawn if unicodedata.category(c) in {"Cc", "Cf", "Cs"} and c != "\n"]
    assert len(drawn) < 40_000


@pytest.mark.parametrize("narrow", [False, True])
def test_each_message_is_a_link_to_itself_and_has_a_tooltip(narrow):
    drawn = tree(svg.draw(ladder_of(story()), narrow=narrow))
    links = [element.attrib["href"] for element in drawn.iter(f"{NAMESPACE}a")]
    assert links == [f"#m{index}" for index in range(len(messages_of_a_good_call()))]
    titles = [element.text or "" for element in drawn.iter(f"{NAMESPACE}title")]
    assert titles[0].split("\n") == [
        "INVITE (SDP)",
        "alice → Offhook",
        "2026-01-01 00:00:00.000 UTC",
        "leg 0",
        "CSeq 1 INVITE",
        "PCMA 10.0.0.5:4000 private",
    ]


def test_repeats_errors_and_events_are_told_apart_without_colour():
    failed = carrier_leg(outcome="failed", reason="no circuit")
    busy = said(
        9000, is_sent=False, leg=1, data=message("SIP/2.0 503 Service Unavailable", branch="z9hG4bKtwo")
    )
    drawn = svg.draw(ladder_of(story(caller_leg(), failed, messages=[*messages_of_a_good_call(), busy])))
    assert "↻ INVITE (SDP) x2" in drawn
    assert "✗ 503 Service Unavailable" in drawn
    assert 'class="fd-rung fd-again"' in drawn
    assert 'class="fd-rung fd-error"' in drawn
    assert "fd-rung fd-error fd-event" in drawn


def test_who_cannot_see_it_hears_what_it_shows():
    root = tree(svg.draw(ladder_of(story())))
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == (
        "Ladder of call c1: 17 messages between alice, Offhook, trunk alpha. 1 sent again. "
        "charged from here. ended by the caller: the caller hung up."
    )


def test_the_narrow_form_fits_a_phone():
    legs = [phone_leg(leg, f"line{leg}") for leg in range(1, 9)]
    root = tree(svg.draw(ladder_of(story(caller_leg(), *legs, messages=[])), narrow=True))
    assert root.attrib["viewBox"].split()[2] == "390"
    sizes = [float(element.attrib["font-size"]) for element in root.iter(f"{NAMESPACE}text")]
    assert min(sizes) >= 11.5


@pytest.mark.parametrize("narrow", [False, True])
def test_rows_come_one_under_another_and_the_picture_holds_them(narrow):
    drawn = svg.draw(ladder_of(story()), narrow=narrow)
    root = tree(drawn)
    height = float(root.attrib["viewBox"].split()[3])
    tops = [float(e.attrib["y"]) for e in root.iter(f"{NAMESPACE}rect") if e.attrib["class"] == "fd-hit"]
    assert tops == sorted(set(tops))
    assert all(float(y) < height for y in re.findall(r' y="([0-9.]+)"', drawn))


def test_the_style_can_be_left_to_the_page():
    assert "<style>" not in svg.draw(ladder_of(story()), with_style=False)
    assert "prefers-color-scheme:dark" in svg.draw(ladder_of(story()))


def test_a_flood_is_drawn_to_its_limit():
    flood = [said(at, is_sent=False, leg=0, data=message("OPTIONS sip:x SIP/2.0")) for at in range(1500)]
    drawn = svg.draw(ladder_of(story(messages=flood)))
    assert drawn.count("<a href") == svg.RUNGS_MAX
    assert "502 more are not drawn" in drawn


def test_an_empty_trace_is_a_picture_too():
    assert tree(svg.draw(ladder_of(story(messages=[])))) is not None


def test_escaping_keeps_nothing_that_a_page_would_run():
    assert escaped("<a href=\"x\" title='y'>&\u202e") == (
        "&lt;a href=&quot;x&quot; title=&#x27;y&#x27;&gt;&amp;\\u202e"
    )
