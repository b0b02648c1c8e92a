"""What the explanation names a call's fault, by the shipped table, and what it leaves unnamed."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import fields, replace

import care
from care.explanation import Where, explain, load_patterns
from care.explanation.facts import REFUSALS, facts_of
from care.explanation.signs import FAMILIES, SIGNS, speaks
from care.story import CallStory
from provisioning.settings import WITHHELD
from rating.records import Cdr
from tests.care.call_stories import call, leg, phone, registration, sound, story
from tests.care.fault_shapes import by, falls_silent, vanished
from tests.care.fault_stories import ANSWERS, FAULTS, MORE
from traces.call_trace import CallTrace, TraceFlow, TraceMessage

CONF = Path(care.__file__).parents[1] / "conf"
PATTERNS = load_patterns(CONF)
FALLBACKS = [pattern.name for pattern in PATTERNS if pattern.fallback]
BY_NAME = {pattern.name: pattern for pattern in PATTERNS}

TRACED = FAULTS["session-timer"].trace
GOOD_MESSAGES = [] if TRACED is None else TRACED.messages


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_named(name: str) -> None:
    explained = explain(FAULTS[name], PATTERNS)

    assert [finding.name for finding in explained.findings][:1] == [name], explained.paragraph
    assert explained.findings[0].title in explained.paragraph
    assert "{" not in explained.paragraph


@pytest.mark.parametrize(("name", "found"), ANSWERS)
def test_a_good_call_is_no_fault(name: str, found: CallStory) -> None:
    explained = explain(found, PATTERNS)

    assert explained.findings == [], explained.paragraph
    assert (explained.answer.name if explained.answer is not None else "") == name


def test_every_pattern_of_the_shipped_table_is_reached() -> None:
    reached = {name for name, _ in ANSWERS} | set(FAULTS) | {"refused"}

    assert set(BY_NAME) - reached == set()


def test_every_refusal_has_a_pattern_of_its_own() -> None:
    said = {label: explain(by(refused), PATTERNS) for label, refused in REFUSALS.items()}

    assert [label for label, told in said.items() if not told.findings and told.answer is None] == []
    assert [label for label, told in said.items() if told.findings and told.findings[0].name in FALLBACKS] == []


def test_a_refusal_that_no_pattern_names_is_said_all_the_same() -> None:
    told = explain(FAULTS["no-credit"], [BY_NAME["refused"], BY_NAME["failed"]])

    assert [finding.name for finding in told.findings] == ["refused", "failed"]


def test_every_sign_speaks_of_some_call_and_not_of_another() -> None:
    everything = [
        facts_of(found)
        for found in (*FAULTS.values(), *(found for _, found in ANSWERS), *(found for *_, found in MORE))
    ]
    spoken = {name: [sign(facts) is not None for facts in everything] for name, sign in SIGNS.items()}

    assert [name for name, said in spoken.items() if not any(said)] == []
    assert [name for name, said in spoken.items() if all(said)] == []


@pytest.mark.parametrize(("name", "words", "found"), MORE)
def test_more_is_said_where_more_is_known(name: str, words: str, found: CallStory) -> None:
    explained = explain(found, PATTERNS)

    assert [finding.name for finding in explained.findings][:1] == [name]
    assert words in explained.findings[0].words


def test_every_family_is_met_and_not_met() -> None:
    no_credit, good = facts_of(FAULTS["no-credit"]), facts_of(call())
    asked = {
        "outcome:no_credit": no_credit,
        "ended_by:credit": facts_of(FAULTS["credit-ended"]),
        "carrier_cause:34": facts_of(FAULTS["carrier-no-circuit"]),
        "carrier_status:503": facts_of(FAULTS["carrier-no-circuit"]),
        "phone_status:404": facts_of(FAULTS["phone-rejects"]),
        "decided:not sent on": facts_of(FAULTS["divert-loop"]),
    }

    assert {name.partition(":")[0] for name in asked} == set(FAMILIES)
    assert [name for name, facts in asked.items() if speaks(name, facts) is None] == []
    assert [name for name in asked if speaks(name, good) is not None] == []


HOSTILE = st.text(
    st.one_of(st.characters(), st.sampled_from("\x1b\x9b\r\n\x00\u202e{}%<>\"';,:@")), max_size=40
)
BAD_TEXT = st.one_of(
    HOSTILE, st.sampled_from(["+44", "{evidence}", "{0.__class__}", "divert_all: ", "trunk : ", ": "])
)
NUMBERS = st.one_of(st.none(), st.integers(-(2**62), 2**62), st.integers(0, 700))
TEXTS = {field.name for field in fields(Cdr) if field.type is str}
OPTIONAL = {field.name for field in fields(Cdr) if field.type not in (str, int, bool)}


@st.composite
def hostile_cdrs(draw: st.DrawFn) -> Cdr:
    """A record in which some fields are anything that their type allows, or what calls really have there."""
    changed: dict[str, object] = {}
    for name in draw(st.sets(st.sampled_from(sorted(TEXTS)), max_size=12)):
        changed[name] = draw(BAD_TEXT)
    whole = [field.name for field in fields(Cdr) if field.type is int or field.name in OPTIONAL]
    for name in draw(st.sets(st.sampled_from(sorted(whole)), max_size=8)):
        value = draw(NUMBERS)
        changed[name] = 0 if value is None and name not in OPTIONAL else value
    known = [
        found.legs[draw(st.integers(0, len(found.legs) - 1))].cdr for found in FAULTS.values() if found.legs
    ]
    return replace(draw(st.sampled_from(known)), **changed)


@st.composite
def hostile_stories(draw: st.DrawFn) -> CallStory:
    legs = draw(st.lists(hostile_cdrs(), min_size=1, max_size=4))
    media = {
        each.leg: replace(sound(each.leg), packets=draw(st.integers(0, 9)), dropped=draw(HOSTILE))
        for each in legs[:2]
    }
    event = replace(
        registration(draw(st.sampled_from(["registered", "expired", "refused", "odd"])), at_s=draw(st.integers(-9, 9))),
        line=draw(BAD_TEXT), reason=draw(BAD_TEXT), source=draw(BAD_TEXT), contact=draw(BAD_TEXT), via=draw(BAD_TEXT),
    )  # fmt: skip
    data = draw(st.one_of(st.binary(max_size=80), st.sampled_from([m.data for m in GOOD_MESSAGES])))
    messages = [
        TraceMessage(
            draw(st.integers(0, 2**60)),
            draw(st.booleans()),
            draw(st.integers(-1, 5)),
            draw(st.integers(-2, 2)),
            data,
        )
    ]
    found = CallTrace(
        "call-1", 0, 0, "", [TraceFlow("UDP", draw(HOSTILE), 5060, "192.0.2.1", 5060)], messages
    )
    made = story(*legs, media=media, registrations=[event])
    return replace(made, trace=found) if draw(st.booleans()) else replace(made, no_trace=draw(HOSTILE))


@settings(max_examples=300, suppress_health_check=list(HealthCheck), deadline=None)
@given(hostile_stories())
def test_no_story_raises_and_nothing_hostile_gets_through(found: CallStory) -> None:
    explained = explain(found, PATTERNS)

    texts = [explained.paragraph, *explained.steps]
    for finding in [*explained.findings, *([explained.answer] if explained.answer else [])]:
        texts += [finding.title, finding.words, *finding.checks]
        assert finding.where in {where.value for where in Where}
    for text in texts:
        assert text.isprintable(), ascii(text)
    assert len(explained.paragraph) < 10_000


def test_a_withheld_number_stays_withheld() -> None:
    explained = explain(FAULTS["anonymous-refused"], PATTERNS)

    assert "a withheld number" in explained.paragraph
    assert "020 7946 0123" not in explained.paragraph
    assert WITHHELD not in explained.paragraph.replace("a withheld number", "").replace("was withheld", "")


def test_evidence_that_looks_like_a_placeholder_is_text() -> None:
    explained = explain(
        story(*[view.cdr for view in FAULTS["carrier-failed"].legs[:1]], leg(trunk="{evidence}")), PATTERNS
    )

    assert "{evidence}" in explained.paragraph


def test_where_a_fault_lies_follows_who_was_rung() -> None:
    where = {
        name: BY_NAME[name].where
        for name in ("loss-phone", "loss-carrier", "no-credit", "journal-gate", "busy")
    }

    assert where == {
        "loss-phone": Where.EQUIPMENT,
        "loss-carrier": Where.ANOTHER_OPERATOR,
        "no-credit": Where.USE,
        "journal-gate": Where.OUR_NETWORK,
        "busy": Where.NONE,
    }


OPEN: dict[str, object] = {
    "outcome": "open", "reason": "", "ended_by": "", "sip_status": 0, "q850_cause": 0,
}  # fmt: skip
RINGS: dict[str, object] = {**OPEN, "answered_at_ms": None, "duration_ms": 0}


def test_a_call_that_is_up_is_told_as_it_stands() -> None:
    talks = story(replace(call().legs[0].cdr, **OPEN), leg(**OPEN), media={0: sound(0), 1: sound(1)})
    explained = explain(talks, PATTERNS)
    assert (explained.findings, explained.answer) == ([], None)
    assert "It is still up, 1 minute after the answer. Nothing is charged so far." in explained.paragraph
    rings = explain(story(replace(call().legs[0].cdr, **RINGS), leg(**RINGS)), PATTERNS)
    assert (rings.findings, rings.answer) == ([], None), rings.paragraph
    assert explain(story(replace(call().legs[0].cdr, **RINGS), phone(**RINGS)), PATTERNS).findings == []
    assert "which is ringing. Nobody has answered yet, after 1 minute 6 seconds." in rings.paragraph


def test_sound_that_goes_one_way_is_named_while_the_call_is_up() -> None:
    deaf = {0: sound(0, packets=0, mos=0), 1: sound(1)}
    found = explain(story(replace(call().legs[0].cdr, **OPEN), leg(**OPEN), media=deaf), PATTERNS)
    assert found.findings[0].name == "one-way-audio-from-phone", found.paragraph


def test_an_end_on_hold_is_not_said_to_have_fallen_silent() -> None:
    for is_held, name in ((True, "phone-vanished"), (False, "carrier-vanished")):
        media = {0: falls_silent(0, after_ms=899_900), 1: falls_silent(1, after_ms=600_000, is_held=is_held)}
        assert explain(vanished(media=media), PATTERNS).findings[0].name == name
