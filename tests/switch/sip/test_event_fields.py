"""Event, Subscription-State and entity tags: RFC 6665 8.2, RFC 3903 11.3."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.sip.errors import SipParseError
from switch.sip.event_fields import (
    EVENT_ID_CHARS_MAX,
    Event,
    SubscriptionState,
    entity_tag_of,
    event_of,
    parse_event,
    parse_subscription_state,
)
from switch.sip.headers import Headers

TOKENS = st.text("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789-.!%*_+`'~", min_size=1, max_size=20)
SECONDS = st.none() | st.integers(0, 2**32 - 1)


@pytest.mark.parametrize(
    ("text", "event"),
    [
        ("presence", Event("presence")),
        ("presence.winfo", Event("presence.winfo")),
        ("refer;id=93809824", Event("refer", "93809824")),
        ("refer ; ID = 1 ", Event("refer", "1")),
        ("dialog;sla;include-session-description", Event("dialog")),
        ("Presence", Event("Presence")),
    ],
)
def test_an_event_has_a_package_and_perhaps_an_id(text: str, event: Event) -> None:
    assert parse_event(text) == event


def test_packages_are_told_apart_by_case() -> None:
    assert parse_event("Presence") != parse_event("presence")


@pytest.mark.parametrize(
    "text",
    [
        "",
        ";id=1",
        "pre sence",
        '"presence"',
        "presence;id",
        "presence;id=",
        'presence;id="1"',
        "a,b",
        "pr\xe9sence",
        f"presence;id={'1' * (EVENT_ID_CHARS_MAX + 1)}",
        "presence;id=1;id=2",
    ],
)
def test_a_malformed_event_is_refused(text: str) -> None:
    with pytest.raises(SipParseError) as refused:
        parse_event(text)
    assert refused.value.status == 400


def test_two_events_are_one_too_many() -> None:
    assert event_of(Headers()) is None
    assert event_of(Headers([("o", "presence")])) == Event("presence")
    with pytest.raises(SipParseError):
        event_of(Headers([("Event", "presence"), ("o", "reg")]))


@given(TOKENS, st.none() | TOKENS)
def test_an_event_prints_as_it_is_read(package: str, event_id: str | None) -> None:
    event = Event(package, event_id)
    assert parse_event(str(event)) == event


@given(TOKENS, st.none() | TOKENS, SECONDS, SECONDS)
def test_a_subscription_state_prints_as_it_is_read(
    state: str, reason: str | None, expires_s: int | None, retry_after_s: int | None
) -> None:
    found = SubscriptionState(state.lower(), reason=reason, expires_s=expires_s, retry_after_s=retry_after_s)
    assert parse_subscription_state(str(found)) == found


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    for parse in (parse_event, parse_subscription_state):
        try:
            found = parse(text)
        except SipParseError:
            continue
        assert parse(str(found)) == found


@pytest.mark.parametrize(
    "text", ["", ";expires=1", "active;expires=1_0", "active;expires", "a b", "active;reason"]
)
def test_a_malformed_subscription_state_is_refused(text: str) -> None:
    with pytest.raises(SipParseError):
        parse_subscription_state(text)


def test_an_entity_tag_is_one_token() -> None:
    assert entity_tag_of(Headers()) is None
    assert entity_tag_of(Headers([("SIP-If-Match", "dx200xyz")])) == "dx200xyz"
    for values in (["a b"], [""], ["a, b"], ["a", "b"], ['"a"']):
        with pytest.raises(SipParseError) as refused:
            entity_tag_of(Headers([("SIP-If-Match", value) for value in values]))
        assert refused.value.status == 400
