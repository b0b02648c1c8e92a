from xml.etree import ElementTree

import msgspec
import pytest

from care.ladder import media_strip
from care.story import CallStory
from media.course import pack_course
from rating.records import MediaFigures
from tests.care.ladder.test_svg import HOSTILE, NAMESPACE
from tests.care.stories import caller_leg, story
from tests.provisioning.records import AT_MS

SLICES = [
    (200, 100, 0, 2_000, False),
    (200, 60, 40, 9_000, False),
    (200, 0, 0, 0, False),
    (200, 0, 0, 0, True),
]


def figures(
    leg: int, *, length_ms: int = 8_000, codec: str = "PCMA", course: bytes | None = None
) -> MediaFigures:
    packed = pack_course(
        SLICES, length_ms=length_ms, first_ms=10, last_ms=4_000, gap_ms=2_000, gap_at_ms=6_000
    )
    return MediaFigures("c1", leg, 0, AT_MS + 64_000, codec, 160, 25_600, 40, 0, 0, 5_500, 9_000, 2_000_000, 30_000,
                        361, 160, 25_600, "192.0.2.10:4000", "", packed if course is None else course)  # fmt: skip


def heard(*media: MediaFigures, one: CallStory | None = None) -> CallStory:
    one = one or story()
    legs = [
        msgspec.structs.replace(view, media=[each for each in media if each.leg == view.cdr.leg])
        for view in one.legs
    ]
    return msgspec.structs.replace(one, legs=legs)


def test_each_end_has_a_strip_on_one_axis_of_time():
    streams = media_strip.streams_of(heard(figures(0), figures(1, length_ms=7_000)))
    assert [(each.title, each.offset_s, len(each.slices)) for each in streams] == [
        ("From alice (leg 0)", 0.0, 4),
        ("From trunk alpha (leg 1)", 1.0, 4),
    ]
    assert streams[0].summary == "PCMA · 160 packets · loss 20.0 % · jitter 5.5 ms · MOS 3.6"


@pytest.mark.parametrize("narrow", [False, True])
def test_loss_and_silence_are_drawn_and_a_hold_is_neither(narrow):
    drawn = media_strip.draw(media_strip.streams_of(heard(figures(0))), narrow=narrow)
    root = ElementTree.fromstring(drawn)
    kinds = [e.attrib.get("class") for e in root.iter(f"{NAMESPACE}rect")]
    assert (kinds.count("fd-loss"), kinds.count("fd-silent")) == (1, 1)
    titles = [e.text for e in root.iter(f"{NAMESPACE}title")]
    assert titles == [
        "0:00 to 0:02: 100 packets, 0 lost (0.0 %), jitter 2.0 ms",
        "0:02 to 0:04: 60 packets, 40 lost (40.0 %), jitter 9.0 ms",
        "0:04 to 0:06: nothing came",
        "0:06 to 0:08: on hold",
    ]
    assert root.attrib["aria-label"].startswith("Sound over time. From alice (leg 0): PCMA")


def test_what_was_not_counted_or_cannot_be_read_is_left_out():
    assert media_strip.draw(media_strip.streams_of(story())) == ""
    broken = heard(figures(0, course=b"\xff\x01"), figures(1, course=b""))
    assert media_strip.streams_of(broken) == []


def test_hostile_names_stay_text():
    one = heard(figures(0, codec=HOSTILE), one=story(caller_leg(line=HOSTILE)))
    drawn = media_strip.draw(media_strip.streams_of(one))
    names = {element.tag.removeprefix(NAMESPACE) for element in ElementTree.fromstring(drawn).iter()}
    assert names == {"svg", "style", "rect", "g", "title", "text", "line", "path"}
    assert len(drawn) < 20_000
