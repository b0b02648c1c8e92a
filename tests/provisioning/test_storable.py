"""Any text a peer can send can be stored, and what was changed can be seen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.storable import storable


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("", ""),
        ("plain", "plain"),
        ("Zoë 电话 😀", "Zoë 电话 😀"),
        ("a\0b", "a\\x00b"),
        ("Zoë\0", "Zoë\\x00"),
        (b"caf\xe9".decode("utf-8", "surrogateescape"), "caf\\xe9"),
        ("\udc80\udcff\0", "\\x80\\xff\\x00"),
        ("\ud83d!", "\\ud83d!"),
    ],
)
def test_what_cannot_be_stored_becomes_a_visible_escape(text: str, stored: str) -> None:
    assert storable(text) == stored


@given(st.text(alphabet=st.characters(exclude_categories=[])))
def test_the_result_is_always_storable_and_storing_twice_changes_nothing(text: str) -> None:
    stored = storable(text)
    stored.encode()
    assert "\0" not in stored
    assert storable(stored) == stored


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_storable_text_stays_as_it_is(text: str) -> None:
    assert storable(text) == text


@given(st.binary())
def test_any_bytes_of_a_peer_can_be_stored(data: bytes) -> None:
    storable(data.decode("utf-8", "surrogateescape")).encode()
