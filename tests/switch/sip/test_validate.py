"""What the door refuses, and in which order."""

import pytest

from switch.sip.message import make_response
from switch.sip.validate import DoorRefusal, door_refusal, response_problem
from tests.switch.sip.samples import INVITE, invite_bytes, message_bytes, request, response
from tests.tables import cases


def status_of(data: bytes) -> int | None:
    refusal = door_refusal(request(data))
    return None if refusal is None else refusal.status


def test_a_plain_invite_enters() -> None:
    assert door_refusal(request(invite_bytes())) is None


FIELDS = """
# name          value                                       -> answer
  Via           SIP/2.0/UDP_192.0.2.1                       -> enters
  From          sip:ann@exchange.example                    -> enters
  From          Ann                                         -> 400
  From          <sip:ann@>;tag=1                            -> 400
  From          <sip:ann@exchange.example>;tag=1;tag=2      -> 400
  From          "Ann_<sip:ann@exchange.example>             -> 400
  From          Bell,_Alex_<sip:ann@exchange.example>       -> 400
  To            isbn:2983792873                             -> enters
  To            <_sip:bob@exchange.example_>                -> 400
  To            <sip:bob@exchange.example>;tag=             -> 400
  Call-ID       a_b                                         -> 400
  Call-ID       !"#<>@é                                     -> enters
  CSeq          1_BYE                                       -> 400
  CSeq          1_invite                                    -> 400
  CSeq          2147483648_INVITE                           -> 400
  CSeq          INVITE                                      -> 400
  Max-Forwards  0                                           -> 483
  Max-Forwards  1                                           -> enters
  Max-Forwards  255                                         -> enters
  Max-Forwards  256                                         -> 400
  Max-Forwards  -1                                          -> 400
  Max-Forwards  7_0                                         -> 400
  Contact       <sip:1001@192.0.2.10>,<sip:1001@b>;q=1      -> enters
  Contact       *                                           -> enters
  Contact       *,<sip:1001@192.0.2.10>                     -> 400
  Contact       <sip:1001@>                                 -> 400
  Contact       <sip:1001@a>,                               -> 400
  Contact       sip:1001@a?b=c                              -> 400
  Route         <sip:proxy.example;lr>,_<sip:b;lr>          -> enters
  Route         <sip:proxy.example                          -> 400
  Record-Route  <sip:>                                      -> 400
  Path          <sip:a                                      -> 400
  Expires       60                                          -> enters
  Expires       99999999999999999999999                     -> enters
  Expires       Thu,_01_Dec_1994_16:00:00_GMT               -> enters
  Expires       Thu,_44_Dec_19999_16:00:00_EDT              -> 400
  Expires       -1                                          -> 400
  Content-Type  nonsense                                    -> enters
  X-Unknown     ;;,,                                        -> enters
"""


@pytest.mark.parametrize(("name", "value", "answer"), cases(FIELDS))
def test_a_field_that_is_used_must_be_sound(name: str, value: str, answer: str) -> None:
    data = invite_bytes(f"{name}: {value.replace('_', ' ')}", without=name)
    assert status_of(data) == (None if answer == "enters" else int(answer))


@pytest.mark.parametrize("status", ["302 Moved Temporarily", "486 Busy Here"])
def test_a_refusal_is_heard_whatever_its_contact_is(status: str) -> None:
    kept = [line for line in INVITE[1:] if not line.startswith("Contact:")]
    assert response_problem(response(message_bytes(f"SIP/2.0 {status}", *kept, "Contact: nonsense<<"))) is None


@pytest.mark.parametrize("name", ["Via", "From", "To", "Call-ID", "CSeq"])
def test_the_five_fields_of_every_request_must_be_there(name: str) -> None:
    assert door_refusal(request(invite_bytes(without=name))) == DoorRefusal(400, f"Missing {name}")


@pytest.mark.parametrize("name", ["Max-Forwards", "Contact"])
def test_a_request_of_rfc_2543_has_no_max_forwards(name: str) -> None:
    assert status_of(invite_bytes(without=name)) is None


REQUEST_URIS = """
# uri                                           -> answer
  sip:bob@exchange.example                      -> enters
  sips:bob@exchange.example                     -> enters
  sip:exchange.example                          -> enters
  tel:999                                       -> enters
  tel:+441632960001                             -> enters
  urn:service:sos                               -> enters
  nobodyKnowsThisScheme:totallyopaquecontent    -> 416
  soap.beep://192.0.2.103:3002                  -> 416
  http://www.example.com/                       -> 416
  mailto:bob@exchange.example                   -> 416
  <sip:bob@exchange.example>                    -> 400
  bob@exchange.example                          -> 400
  sip:bob@exchange.example?Route=%3Csip:a%3E    -> 400
  sip:2001:db8::1                               -> 400
  sip:bob@exchange.example:99999                -> 400
  *                                             -> 400
"""


@pytest.mark.parametrize(("uri", "answer"), cases(REQUEST_URIS))
def test_the_request_uri_must_be_one_that_calls_can_go_to(uri: str, answer: str) -> None:
    data = message_bytes(f"INVITE {uri} SIP/2.0", *INVITE[1:])
    assert status_of(data) == (None if answer == "enters" else int(answer))


HOPS = """
# method     to_tag  -> answer_with_no_hops_left
  INVITE     -       -> 483
  MESSAGE    -       -> 483
  SUBSCRIBE  -       -> 483
  x-own      -       -> 483
  INVITE     t       -> enters
  BYE        t       -> enters
  OPTIONS    -       -> enters
  REGISTER   -       -> enters
  CANCEL     -       -> enters
  ACK        -       -> enters
"""


@pytest.mark.parametrize(("method", "to_tag", "answer"), cases(HOPS))
def test_no_hops_left_stops_only_what_would_be_sent_on(method: str, to_tag: str, answer: str) -> None:
    to = "To: <sip:bob@exchange.example>" + (f";tag={to_tag}" if to_tag else "")
    kept = [line for line in INVITE[1:] if not line.startswith(("To", "CSeq", "Max-Forwards"))]
    data = message_bytes(f"{method} sip:a@b SIP/2.0", *kept, to, f"CSeq: 1 {method}", "Max-Forwards: 0")
    assert status_of(data) == (None if answer == "enters" else int(answer))


def test_what_ends_here_can_be_said_otherwise() -> None:
    kept = [line for line in INVITE[1:] if not line.startswith(("CSeq", "Max-Forwards"))]
    message = request(message_bytes("OPTIONS sip:a@b SIP/2.0", *kept, "CSeq: 1 OPTIONS", "Max-Forwards: 0"))
    assert door_refusal(message, ends_here=frozenset()) == DoorRefusal(483, "Too Many Hops")


def test_the_first_broken_rule_answers() -> None:
    """All rules broken at once, then mended one by one."""
    start, uri, cseq, hops = "INVITE http://a SIP/7.0", "sip:a@b", "CSeq: 1 BYE", "Max-Forwards: 0"
    kept = [line for line in INVITE[1:] if not line.startswith(("CSeq", "Max-Forwards"))]
    assert status_of(message_bytes(start, *kept, cseq, hops)) == 505
    start = start.replace("7.0", "2.0")
    assert status_of(message_bytes(start, *kept, cseq, hops)) == 400
    cseq = "CSeq: 1 INVITE"
    assert status_of(message_bytes(start, *kept, cseq, hops)) == 416
    start = start.replace("http://a", uri)
    assert status_of(message_bytes(start, *kept, cseq, hops)) == 483
    hops = "Max-Forwards: 1"
    assert status_of(message_bytes(start, *kept, cseq, hops)) is None


@pytest.mark.parametrize("field", ["From: <sip:a@>;tag=1", "To: <sip:a@>;tag=1"])
def test_inside_a_dialog_only_the_tags_of_from_and_to_matter(field: str) -> None:
    name = field.split(":", maxsplit=1)[0]
    other = (
        "To: <sip:bob@exchange.example>;tag=2" if name == "From" else "From: <sip:ann@exchange.example>;tag=1"
    )
    kept = [line for line in INVITE if not line.startswith(("From", "To"))]
    assert status_of(message_bytes(*kept, field, other)) is None


RESPONSES = """
# name          value                                       -> is_sound
  Via           SIP/2.0/UDP_192.0.2.1                       -> yes
  From          <sip:ann@exchange.example>                  -> yes
  From          "Ann_<sip:ann@exchange.example>             -> no
  To            <sip:ann@exchange.example>;;tag=1           -> no
  CSeq          9292394834772304023312_INVITE               -> no
  Contact       <sip:>                                      -> no
  Record-Route  nonsense                                    -> no
"""


@pytest.mark.parametrize(("name", "value", "is_sound"), cases(RESPONSES))
def test_a_response_is_sound_or_dropped(name: str, value: str, is_sound: str) -> None:
    kept = [line for line in INVITE[1:] if not line.startswith(name + ":")]
    message = response(message_bytes("SIP/2.0 200 OK", *kept, f"{name}: {value.replace('_', ' ')}"))
    assert (response_problem(message) is None) == (is_sound == "yes")


@pytest.mark.parametrize("name", ["Via", "From", "To", "Call-ID", "CSeq"])
def test_a_response_without_one_of_the_five_is_dropped(name: str) -> None:
    kept = [line for line in INVITE[1:] if not line.startswith(name + ":")]
    problem = response_problem(response(message_bytes("SIP/2.0 200 OK", *kept)))
    assert problem == f"400 Missing {name}"


def test_a_refusal_makes_a_response_that_is_sound() -> None:
    message = request(invite_bytes("Max-Forwards: 0", without="Max-Forwards"))
    refusal = door_refusal(message)
    assert refusal is not None
    answer = make_response(message, refusal.status, refusal.reason, to_tag="local")
    assert response_problem(answer) is None
