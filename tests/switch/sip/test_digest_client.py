"""The exchange as a digest client, towards carriers."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.sip.digest import (
    Outcome,
    Verdict,
    answer_challenge,
    parse_challenge,
)
from switch.sip.message import Response
from switch.sip.parser import parse_message
from tests.switch.sip.digest_bench import CORPORA, URI, Exchange, needs_corpora

# As a client, towards carriers


@needs_corpora
@pytest.mark.parametrize(
    "file", ["phones/itoolabs_401.sip", "phones/fritzbox_401_nobranch.sip", "sofia-sip_tests/own2.txt"]
)
def test_the_challenges_of_other_servers_are_answered(file: str) -> None:
    data = (CORPORA / "messages" / file).read_bytes()
    match = re.search(rb"(?im)^WWW-Authenticate:[ \t]*((?:.+\r?\n[ \t])*.+)", data)
    assert match is not None
    value = re.sub(r"\r?\n[ \t]+", " ", match.group(1).decode()).strip("\r\n")
    answer = answer_challenge([value], method="INVITE", uri=URI, username="u", password="p", cnonce="c")
    assert answer is not None
    challenge = parse_challenge(value)
    assert challenge is not None
    assert f'nonce="{challenge.nonce}"' in answer


def test_the_topmost_challenge_we_know_is_answered() -> None:
    challenges = [
        'Digest realm="carrier", nonce="n", algorithm=SHA-1024, qop="auth"',
        'Digest realm="carrier", nonce="n", algorithm=SHA-256, qop="auth,auth-int"',
        'Digest realm="carrier", nonce="n", algorithm=MD5, qop="auth"',
    ]
    answer = answer_challenge(challenges, method="INVITE", uri=URI, username="u", password="p", cnonce="c")
    assert answer is not None
    assert "algorithm=SHA-256" in answer
    assert "qop=auth," in answer


@pytest.mark.parametrize(
    "challenge",
    [
        "",
        "Basic realm=carrier",
        'Digest realm="carrier"',
        'Digest nonce="n"',
        'Digest realm="carrier", nonce="n", algorithm=TOKEN',
        'Digest realm="carrier", nonce="n", qop="token"',
        'Digest realm="other", nonce="n"',
        'Digest realm="carrier", nonce="n',
        'Digest realm="carrier", nonce=n\\',
    ],
)
def test_a_challenge_that_cannot_or_must_not_be_answered_gets_no_answer(challenge: str) -> None:
    answer = answer_challenge(
        [challenge], method="INVITE", uri=URI, username="u", password="p", cnonce="c", realm="carrier"
    )
    assert answer is None


def test_quoted_text_of_a_challenge_goes_back_as_it_came() -> None:
    challenge = r'Digest realm="the \"best\" carrier", nonce="a\\b", opaque="\"", qop="auth"'
    answer = answer_challenge([challenge], method="INVITE", uri=URI, username="u", password="p", cnonce="c")
    assert answer is not None
    assert r'realm="the \"best\" carrier"' in answer
    assert r'nonce="a\\b"' in answer
    assert r'opaque="\""' in answer


@given(st.text(max_size=100))
def test_any_text_for_a_challenge_is_answered_or_not_without_an_exception(text: str) -> None:
    answer_challenge(
        [text, "Digest " + text], method="INVITE", uri=URI, username="u", password="p", cnonce="c"
    )


def test_a_401_of_ours_can_be_read_back_by_our_own_client() -> None:
    """Both ends meet in a message as it goes over the wire."""
    exchange = Exchange()
    fields = "".join(f"WWW-Authenticate: {value}\r\n" for value in exchange.challenge("both"))
    head = "Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>;tag=2\r\n"
    response = parse_message(
        f"SIP/2.0 401 Unauthorized\r\n{head}Call-ID: 1\r\nCSeq: 1 INVITE\r\n{fields}\r\n".encode()
    )
    assert isinstance(response, Response)
    answer = exchange.answer(response.headers.get_all("www-authenticate"), username="both")
    assert exchange.verify(answer) == Verdict(Outcome.OK, "both")
