"""The crowd that registers: each phone answers its own challenge once, and every answer is counted."""

import re

import pytest

from bench.phones import _Bank, _header, _parameter
from bench.sipp import Caller
from switch.sip.digest import DigestAuthority, Ha1s, Outcome
from switch.sip.digest_values import MD5, ha1
from switch.sip.message import Request
from switch.sip.parser import parse_message

REALM = "offhook"


class Wire:
    """Where the crowd's datagrams end; `answers` are what it will read."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.answers: list[str] = []

    @staticmethod
    def getsockname() -> tuple[str, int]:
        return "127.0.0.1", 40_000

    def sendmsg(self, parts: list[bytes], ancillary: object, flags: int, target: tuple[str, int]) -> None:
        assert target == ("127.0.0.1", 5060)
        self.sent.append(b"".join(parts).decode())

    def recv(self, size: int) -> bytes:
        if not self.answers:
            raise BlockingIOError
        return self.answers.pop(0).encode()


def response(status: int, request: str, *, more: str = "", cseq: str = "") -> str:
    call_id, number = _header(request, "Call-ID"), cseq or _header(request, "CSeq")
    return (
        f"SIP/2.0 {status} Words\r\nCall-ID: {call_id}\r\nCSeq: {number}\r\n{more}Content-Length: 0\r\n\r\n"
    )


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def bank(wire: Wire) -> _Bank:
    return _Bank(wire, 5060)  # type: ignore[arg-type]


def test_a_phone_registers_answers_its_challenge_and_is_done(wire: Wire, bank: _Bank) -> None:
    authority = DigestAuthority(REALM, b"k" * 32, nonce_lifetime_s=60)
    bank.start(7, Caller("line7", "secret7", "account0"))
    [challenge] = authority.challenges(0.0, (MD5,))
    wire.answers = [response(401, wire.sent[0], more=f"WWW-Authenticate: {challenge}\r\n")]
    bank.receive()
    request = parse_message(wire.sent[1].encode())
    assert isinstance(request, Request)
    verdict = authority.verify(
        request,
        request.headers.get_all("authorization"),
        1.0,
        lambda user: Ha1s(ha1(user, REALM, "secret7", MD5), ""),
    )
    assert (verdict.outcome, verdict.user) == (Outcome.OK, "line7")
    wire.answers = [response(200, wire.sent[1])]
    bank.receive()
    assert (bank.done, bank.refused, bank.phones) == (1, 0, {})


def test_a_second_challenge_is_a_refusal(wire: Wire, bank: _Bank) -> None:
    bank.start(0, Caller("line0", "wrong", "account0"))
    more = 'WWW-Authenticate: Digest realm="offhook", nonce="n", qop="auth"\r\n'
    wire.answers = [response(401, wire.sent[0], more=more)]
    bank.receive()
    wire.answers = [response(401, wire.sent[1], more=more)]
    bank.receive()
    assert (len(wire.sent), bank.done, bank.refused) == (2, 0, 1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        "SIP/2.0 200 OK\r\n\r\n",
        "SIP/2.0 200 OK\r\nCall-ID: bench-99\r\nCSeq: 1 REGISTER\r\n\r\n",
        "SIP/2.0 200 OK\r\nCall-ID: bench-0\r\nCSeq: 12 REGISTER\r\n\r\n",
        "SIP/2.0 100 Trying\r\nCall-ID: bench-0\r\nCSeq: 1 REGISTER\r\n\r\n",
    ],
)
def test_what_answers_nothing_of_ours_changes_nothing(wire: Wire, bank: _Bank, text: str) -> None:
    bank.start(0, Caller("line0", "secret", "account0"))
    wire.answers = [text]
    bank.receive()
    assert (bank.done, bank.refused, list(bank.phones)) == (0, 0, ["bench-0"])


def test_phones_have_addresses_of_their_own(wire: Wire, bank: _Bank) -> None:
    for index in (0, 255, 256, 65_536, 99_999):
        bank.start(index, Caller(f"line{index}", "secret", "account0"))
    places = [re.search(r"Contact: <sip:line\d+@([0-9.]+):40000;", sent)[1] for sent in wire.sent]  # type: ignore[index]
    assert places == ["127.1.0.0", "127.1.0.255", "127.1.1.0", "127.2.0.0", "127.2.134.159"]


def test_a_phone_asks_again_only_when_its_answer_is_overdue(wire: Wire, bank: _Bank) -> None:
    bank.start(0, Caller("line0", "secret", "account0"))
    bank.repeat()
    assert len(wire.sent) == 1
    bank.phones["bench-0"].sent_at -= 10.0
    bank.repeat()
    assert wire.sent[1] == wire.sent[0]  # the same transaction


def test_fields_are_found_by_their_whole_name() -> None:
    text = "SIP/2.0 401 Unauthorized\r\nX-CSeq: 9\r\nCSeq: 1 REGISTER\r\n\r\n"
    assert _header(text, "CSeq") == "1 REGISTER"
    assert _header(text, "Call-ID") == ""
    assert _parameter('Digest realm="offhook", nonce="abc"', "nonce") == "abc"
    assert _parameter("Digest", "nonce") == ""
