"""Header fields: names in every spelling, order, comma lists, changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.sip.headers import COMPACT_FORMS, Headers, canonical_name, key_of
from tests.tables import cases

SPELLINGS = """
# written           -> key                  as_we_write_it
  Via               -> via                  Via
  v                 -> via                  Via
  V                 -> via                  Via
  vIa               -> via                  Via
  i                 -> call-id              Call-ID
  CALL-ID           -> call-id              Call-ID
  cseq              -> cseq                 CSeq
  Cseq              -> cseq                 CSeq
  www-AUTHENTICATE  -> www-authenticate     WWW-Authenticate
  x                 -> session-expires      Session-Expires
  mime-version      -> mime-version         MIME-Version
  P-Asserted-ID     -> p-asserted-id        P-Asserted-Id
  X-own             -> x-own                X-Own
  z                 -> z                    Z
"""


@pytest.mark.parametrize(("written", "key", "ours"), cases(SPELLINGS))
def test_a_name_has_one_key_in_every_spelling(written: str, key: str, ours: str) -> None:
    assert key_of(written) == key
    assert canonical_name(key) == ours
    assert Headers([(written, "1")]).get(key) == "1"


def test_every_compact_form_is_its_long_form() -> None:
    for compact, long in COMPACT_FORMS.items():
        assert key_of(compact) == key_of(compact.upper()) == key_of(long) == key_of(long.upper()) == long


def test_a_name_of_ours_is_written_canonically_and_another_spelling_is_kept() -> None:
    headers = Headers([("call-id", "1"), ("CALL-ID", "2"), ("i", "3"), ("x-own", "4")])
    assert [name for name, _ in headers.items()] == ["Call-ID", "CALL-ID", "i", "X-Own"]


def test_lookups_take_the_first_field() -> None:
    headers = Headers([("via", "1"), ("to", "x"), ("v", "2, 3")])
    assert headers.get("via") == "1"
    assert headers.get_all("via") == ["1", "2, 3"]
    assert headers.values("via") == ["1", "2", "3"]
    assert headers.first_value("via") == "1"
    assert headers.count("via") == 2
    assert headers.has_repeats()
    assert "via" in headers
    assert headers.get("from") is None
    assert headers.get_all("from") == headers.values("from") == []
    assert len(headers) == 3


def test_asking_by_anything_but_the_key_is_a_mistake_of_ours() -> None:
    with pytest.raises(AssertionError):
        Headers().get("Call-ID")


COMMA_LISTS = """
# value                         -> elements
  a                             -> a
  a,b                           -> a|b
  a,,b                          -> a||b
  ,                             -> |
  "a,b",c                       -> "a,b"|c
  "a\\",b",c                    -> "a\\",b"|c
  <a,b>,c                       -> <a,b>|c
  "<",<a,">                     -> "<"|<a,">
  "a,b                          -> "a,b
  <a,b                          -> <a,b
  "a\\                          -> "a\\
  a;x="1,2",b                   -> a;x="1,2"|b
"""


@pytest.mark.parametrize(("value", "elements"), cases(COMMA_LISTS))
def test_commas_in_quotes_and_brackets_do_not_part(value: str, elements: str) -> None:
    headers = Headers([("contact", value)])
    expected = elements.split("|")
    assert headers.values("contact") == expected
    assert headers.first_value("contact") == expected[0]


def test_elements_come_without_the_spaces_round_them() -> None:
    headers = Headers([("supported", "  100rel ,\ttimer,  ")])
    assert headers.values("supported") == ["100rel", "timer", ""]
    assert headers.tokens("supported") == ["100rel", "timer"]


def test_an_empty_field_has_no_elements() -> None:
    headers = Headers([("supported", ""), ("allow", "INVITE")])
    assert "supported" in headers
    assert headers.values("supported") == []


class TestChanges:
    @pytest.fixture
    def headers(self) -> Headers:
        return Headers([("via", "1, 2"), ("to", "x"), ("via", "3"), ("from", "y")])

    def test_set_keeps_the_place_of_the_first_and_drops_the_others(self, headers: Headers) -> None:
        headers.set("via", "new")
        assert list(headers.items()) == [("Via", "new"), ("To", "x"), ("From", "y")]

    def test_set_adds_what_was_not_there(self, headers: Headers) -> None:
        headers.set("expires", "60")
        assert list(headers.items())[-1] == ("Expires", "60")

    def test_prepend_comes_first(self, headers: Headers) -> None:
        assert headers.get("via") == "1, 2"
        headers.prepend("via", "0")
        assert headers.get("via") == "0"
        assert headers.values("via") == ["0", "1", "2", "3"]

    def test_the_first_element_is_replaced_or_taken_away(self, headers: Headers) -> None:
        headers.set_first_value("via", "one")
        assert headers.get_all("via") == ["one, 2", "3"]
        headers.remove_first_value("via")
        assert headers.get_all("via") == ["2", "3"]
        headers.set_first_value("via", "two")
        assert headers.get_all("via") == ["two", "3"]
        headers.remove_first_value("via")
        headers.remove_first_value("via")
        assert "via" not in headers

    def test_remove_takes_every_field(self, headers: Headers) -> None:
        headers.remove("via")
        headers.remove("via")
        assert list(headers.items()) == [("To", "x"), ("From", "y")]
        assert not headers.has_repeats()

    def test_extend_value_appends(self, headers: Headers) -> None:
        headers.extend_value("to", ";tag=1")
        assert headers.get("to") == "x;tag=1"

    def test_a_copy_and_a_selection_are_their_own(self, headers: Headers) -> None:
        copied, selected = headers.copy(), headers.select({"via", "from"})
        headers.remove("via")
        assert copied.values("via") == ["1", "2", "3"]
        assert [name for name, _ in selected.items()] == ["Via", "Via", "From"]
        assert copied != headers

    def test_equality_is_blind_to_the_case_of_names_only(self) -> None:
        assert Headers([("via", "a")]) == Headers([("VIA", "a")]) == Headers([("v", "a")])
        assert Headers([("via", "a")]) != Headers([("via", "A")])
        assert Headers([("via", "a"), ("to", "b")]) != Headers([("to", "b"), ("via", "a")])


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\r\nRoute: <sip:smuggled.example>"])
def test_a_value_with_a_line_end_is_a_mistake_of_ours(end: str) -> None:
    headers = Headers([("to", "x")])
    for change in (headers.add, headers.prepend, headers.set, headers.set_first_value, headers.extend_value):
        with pytest.raises(ValueError, match="line end"):
            change("to", f"a{end}")


@pytest.mark.parametrize("name", ["", "To:", "X One", "X\r\nRoute", "\u017fupported"])
def test_a_name_that_is_no_token_is_a_mistake_of_ours(name: str) -> None:
    with pytest.raises(ValueError, match="field name"):
        Headers([(name, "1")])


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ([], "Content-Length: 3"),
        ([("to", "x")], "To: x\r\nContent-Length: 3"),
        ([("content-length", "3"), ("to", "x")], "Content-Length: 3\r\nTo: x"),
        ([("l", "7"), ("to", "x")], "Content-Length: 3\r\nTo: x"),
        ([("l", "7"), ("to", "x"), ("l", "3")], "Content-Length: 3\r\nTo: x"),
    ],
)
def test_on_the_wire_there_is_one_true_content_length(fields: list[tuple[str, str]], text: str) -> None:
    headers = Headers(fields)
    assert headers.to_text(content_length=3) == text
    assert list(headers.items()) == list(Headers(fields).items())


ELEMENTS = st.sampled_from(["a", '"a,b"', '"\\","', "<sip:a,b>", ";x=1", "", '"<" <sip:a>;y=">"'])


@given(st.lists(st.lists(ELEMENTS, min_size=2, max_size=4), max_size=4))
def test_joined_by_commas_and_split_again_elements_are_the_same(fields: list[list[str]]) -> None:
    headers = Headers([("contact", " , ".join(elements)) for elements in fields])
    assert headers.values("contact") == [element for elements in fields for element in elements]
