"""What the switch wants, by the Request-URI, and who calls, by what stands in the INVITE."""

import pytest

from switch.sip.message import Request
from switch.sip.parser import parse_message
from voicemail.target import AnnouncementOf, called_number, caller_of, reason_of, target_of


def invite(uri: str, *lines: str, from_: str = "<sip:a@x>;tag=1", to: str = "<sip:b@x>") -> Request:
    text = "\r\n".join(
        [
            f"INVITE {uri} SIP/2.0", "Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1", f"From: {from_}", f"To: {to}",
            "Call-ID: 1", "CSeq: 1 INVITE", *lines, "Content-Length: 0", "", "",
        ]
    )  # fmt: skip
    message = parse_message(text.encode("utf-8", "surrogateescape"))
    assert isinstance(message, Request)
    return message


# Request-URI                                              -> what is meant
TARGETS = """
sip:deposit.alice@127.0.0.1:5070                           DepositFor(user='alice')
sip:deposit.a.b-c+d@127.0.0.1:5070                         DepositFor(user='a.b-c+d')
sip:deposit.%61lice@127.0.0.1:5070                         DepositFor(user='alice')
sip:deposit.@127.0.0.1:5070                                None
sip:deposit@127.0.0.1:5070                                 None
sip:deposit...%2Fetc@127.0.0.1:5070                        None
sip:deposit...@127.0.0.1:5070                              None
sip:deposit..mail@127.0.0.1:5070                           None
sip:deposit.Alice@127.0.0.1:5070                           None
sip:deposit.a%00b@127.0.0.1:5070                           None
sip:retrieve.alice@127.0.0.1:5070                          RetrievalBy(user='alice')
sip:retrieve@127.0.0.1:5070                                RetrievalBy(user=None)
sip:announce.barred@127.0.0.1;status=403;cause=57          AnnouncementOf(words=prompt:barred,status=403,cause=57)
sip:announce.barred@127.0.0.1                              AnnouncementOf(words=prompt:barred,status=480,cause=0)
sip:announce.barred@127.0.0.1;status=200;cause=1           AnnouncementOf(words=prompt:barred,status=480,cause=1)
sip:announce.barred@127.0.0.1;status=9999;cause=1_0        AnnouncementOf(words=prompt:barred,status=480,cause=0)
sip:announce...%2Fx@127.0.0.1;status=403                   None
sip:announce@127.0.0.1;status=403                          None
sip:announce@127.0.0.1;words=count-3;status=403;cause=57   AnnouncementOf(words=count:3,status=403,cause=57)
sip:alice@127.0.0.1:5070                                   None
sip:127.0.0.1:5070                                         None
tel:+441632960222                                          None
"""


@pytest.mark.parametrize("row", TARGETS.strip().split("\n"))
def test_a_request_uri_says_what_is_wanted(row: str) -> None:
    uri, expected = row.split(maxsplit=1)
    target = target_of(invite(uri))
    found = repr(target).replace(" ", "")
    if isinstance(target, AnnouncementOf):
        ((kind, value),) = target.words
        found = f"AnnouncementOf(words={kind.value}:{value},status={target.status},cause={target.cause})"
    assert found == expected.replace(" ", "")


# From                                                          -> number, name
CALLERS = """
"Ann Other" <sip:+441632960111@example.org>;tag=1               +441632960111  Ann_Other
<sip:01632960111@example.org;user=phone>;tag=1                  01632960111    -
<tel:+44-1632-960111>;tag=1                                     +441632960111  -
"Anonymous" <sip:anonymous@anonymous.invalid>;tag=1             -              -
"Ann" <sip:anonymous@example.org>;tag=1                         -              -
"Anonymous" <sip:01632960111@example.org>;tag=1                 01632960111    -
<sip:example.org>;tag=1                                         -              -
"""


@pytest.mark.parametrize("row", CALLERS.strip().split("\n"))
def test_the_caller_is_who_from_says_unless_that_is_withheld(row: str) -> None:
    from_, number, name = row.rsplit(maxsplit=2)
    expected = (number.replace("-", ""), name.replace("-", "").replace("_", " "))
    assert caller_of(invite("sip:deposit.alice@x", from_=from_)) == expected


def test_what_a_caller_calls_himself_is_one_short_storable_line() -> None:
    _, name = caller_of(invite("sip:deposit.a@x", from_=f'"\udcff\tx\u2028y{"z" * 100}" <sip:1@x>;tag=1'))
    assert name.startswith("\\xff x y")
    assert len(name) == 64


def test_the_number_called_is_as_it_would_be_keyed_in() -> None:
    assert called_number(invite("sip:deposit.a@x", to="<sip:+441632960222@x>")) == "01632960222"
    assert called_number(invite("sip:deposit.a@x", to="<sip:alice@x>")) == ""


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("Diversion: <sip:01632960222@x>;reason=user-busy", "user-busy"),
        ('Diversion: <sip:1@x>;reason="no-answer", <sip:2@x>;reason=user-busy', "no-answer"),
        ("Diversion: <sip:1@x>;reason=do-not-disturb", "other"),
        ("Diversion: nonsense<", ""),
        ("Subject: none", ""),
    ],
)
def test_why_the_call_came_here(line: str, reason: str) -> None:
    assert reason_of(invite("sip:deposit.a@x", line)) == reason
