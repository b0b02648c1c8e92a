"""Digest as phones write it: their habits, and real phones' answers."""

import re

import pytest

from switch.sip.digest import (
    DigestAuthority,
    Outcome,
    Verdict,
    parse_challenge,
)
from switch.sip.digest_values import digest_response, ha1, parse_parameters
from switch.sip.message import Request
from switch.sip.parser import parse_message
from tests.switch.sip.digest_bench import (
    CORPORA,
    PASSWORD,
    REALM,
    SECRET,
    Exchange,
    ha1s_of,
    look_up,
    needs_corpora,
    parameter,
)

# What phones write


def test_an_answer_for_the_bare_server_is_good_for_any_target() -> None:
    exchange = Exchange()
    answer = exchange.answer(exchange.challenge(), uri="sip:192.0.2.1:5060")
    assert exchange.outcome(answer, uri="sip:+441632960001@exchange.example.org") is Outcome.OK


@pytest.mark.parametrize(
    ("signed", "target"),
    [
        ("sip:72.1.46.10:5061", "sip:drachtio.org"),
        ("sip:exchange.example.org", "sip:exchange.example.org:5060"),
        ("sip:bob@192.0.2.7:5062", "sip:bob@exchange.example.org;transport=udp"),
        ("sip:%2B441632960001@sbc.example.net", "sip:+441632960001@exchange.example.org"),
        ("SIP:bob@exchange.example.org", "sip:bob@exchange.example.org"),
        ("tel:+441632960001", "tel:+441632960001"),
    ],
)
def test_a_digest_uri_with_the_same_user_part_is_good_whatever_its_host(signed: str, target: str) -> None:
    exchange = Exchange()
    answer = exchange.answer(exchange.challenge(), uri=signed)
    assert exchange.outcome(answer, uri=target) is Outcome.OK


@pytest.mark.parametrize(
    ("signed", "target"),
    [
        ("sip:bob@exchange.example.org", "sip:exchange.example.org"),
        ("sip:Bob@exchange.example.org", "sip:bob@exchange.example.org"),
        ("sip:+441632960001@exchange.example.org", "tel:+441632960001"),
        ("tel:+441632960001", "tel:+441632960002"),
        ("sip:bob@exchange.example.org", "not a uri"),
    ],
)
def test_a_digest_uri_with_another_user_part_is_refused(signed: str, target: str) -> None:
    exchange = Exchange()
    answer = exchange.answer(exchange.challenge(), uri=signed)
    assert exchange.outcome(answer, uri=target) is Outcome.MALFORMED


def test_quotes_are_neither_required_nor_forbidden() -> None:
    exchange = Exchange()
    answer = exchange.answer(exchange.challenge(), cnonce="724116085")
    quoted = re.sub(r"(algorithm|qop|nc)=([^,]+)", r'\1="\2"', answer)
    assert quoted != answer
    assert exchange.outcome(quoted) is Outcome.OK
    bare = re.sub(r'(cnonce|response|nonce)="([^"]+)"', r"\1=\2", exchange.answer(exchange.challenge()))
    assert exchange.outcome(bare) is Outcome.OK


@pytest.mark.parametrize("separator", [" ", "\t", "  "])
@pytest.mark.parametrize("is_quoted", [True, False])
def test_white_space_alone_may_separate_parameters(separator: str, is_quoted: bool) -> None:
    """As between realm and nonce in RFC 3665 2.1, there after a quoted value."""
    exchange = Exchange()
    answer = exchange.answer(exchange.challenge())
    if not is_quoted:
        answer = re.sub(r'(cnonce|response|nonce)="([^"]+)"', r"\1=\2", answer)
    spaced = answer.replace(", ", separator)
    assert "," not in spaced
    assert exchange.outcome(spaced) is Outcome.OK


def test_names_schemes_and_hexadecimal_digits_may_come_in_either_case() -> None:
    exchange = Exchange()
    answer = exchange.answer(exchange.challenge())
    shouted = re.sub(r"([a-z]+)=", lambda match: match.group().upper(), answer.replace("Digest", "DIGEST"))
    shouted = re.sub(r'RESPONSE="([^"]+)"', lambda match: match.group().upper(), shouted)
    assert exchange.outcome(shouted.replace("ALGORITHM=MD5", "ALGORITHM=md5")) is Outcome.OK


@needs_corpora
@pytest.mark.parametrize(
    ("file", "user"), [("yealink_t27g_register_auth", "201"), ("cisco_spa525g2_register_via_sbc", "167356")]
)
def test_a_real_phones_credentials_are_accepted_once_they_answer_our_challenge(file: str, user: str) -> None:
    """The phone's own field, with only the realm, nonce and response that our challenge would have led to."""
    request = parse_message((CORPORA / "messages" / "phones" / f"{file}.sip").read_bytes())
    assert isinstance(request, Request)
    value = request.headers.get("authorization")
    assert value is not None
    exchange = Exchange()
    challenge = parse_challenge(exchange.challenge()[0])
    parameters = parse_parameters(value.removeprefix("Digest"))
    assert challenge is not None
    assert parameters is not None
    response = digest_response(
        ha1(user, REALM, PASSWORD),
        algorithm=parameters["algorithm"],
        method="REGISTER",
        uri=parameters["uri"],
        nonce=challenge.nonce,
        qop=parameters["qop"],
        nc=parameters["nc"],
        cnonce=parameters["cnonce"],
    )
    value = parameter(
        parameter(parameter(value, "realm", REALM), "nonce", challenge.nonce), "response", response
    )
    assert exchange.authority.verify(request, [value], 0.0, ha1s_of) == Verdict(Outcome.OK, user)


@needs_corpora
@pytest.mark.parametrize(
    ("file", "problem"),
    [
        ("2.1/03_F3_REGISTER.sip", "digest qop=auth required"),  # a comma is missing here
        ("2.2/01_F1_REGISTER.sip", "digest cnonce missing"),
        ("2.3/01_F1_REGISTER.sip", "digest qop=auth required"),
        ("2.4/01_F1_REGISTER.sip", "digest qop=auth required"),
        ("2.5/03_F3_REGISTER.sip", "digest qop=auth required"),
    ],
)
def test_an_answer_of_rfc_3665_is_read_and_refused_for_what_it_lacks(file: str, problem: str) -> None:
    """The user shows that it could be read."""
    request = parse_message((CORPORA / "flows" / "rfc3665" / file).read_bytes())
    assert isinstance(request, Request)
    authority = DigestAuthority("atlanta.example.com", SECRET, nonce_lifetime_s=300.0)
    values = request.headers.get_all("authorization")
    assert authority.verify(request, values, 0.0, look_up) == Verdict(Outcome.MALFORMED, "bob", problem)
