"""What the switch wants for its call services, by the Request-URI: read, or refused as a whole."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switch.sip.errors import SipParseError
from switch.sip.uri import SipUri, parse_uri
from voicemail.service_target import call_out_of, letters_of, service_target_of

TARGETS = """
say;words=error                              SayTo error keys= refers=False
say;words=a.b;keys=3                         SayTo a.b keys=3 refers=False
say;words=a;keys=1.s.h;then=refer            SayTo a keys=1*# refers=True
say;words=a;then=hangup                      SayTo a keys= refers=False
say;words=a;then=dance                       -
say;words=a;keys=x                           -
say;words=a;keys=1234567890sh1               -
say                                          -
say;words                                    -
say.x;words=a                                -
menu;prompt=p;choices=1.2.9                  MenuOf p choices=129 extension=0 timeout=5 tries=3
menu;prompt=p;choices=12h;extension=3;timeout=60;tries=10  MenuOf p choices=12# extension=3 timeout=60 tries=10
menu;prompt=own.7.p;extension=3              MenuOf 7.p choices= extension=3 timeout=5 tries=3
menu;prompt=p                                -
menu;choices=1                               -
menu;prompt=p;choices=1;extension=11         -
menu;prompt=p;choices=1;timeout=0            -
menu;prompt=p;choices=1;timeout=61           -
menu;prompt=p;choices=1;tries=0              -
menu;prompt=p;choices=1;tries=1_0            -
menu;prompt=p;choices=1;tries=%d9%a1         -
queue                                        QueueFor music= position=0 says=False
queue;music=hold;position=3;says=1           QueueFor music=hold position=3 says=True
queue;music=own.7.jingle;position=999        QueueFor music=own.7.jingle position=999 says=False
queue;music=own.7                            -
queue;music=..%2fhold                        -
queue;music=a.b                              -
queue;position=1000                          -
queue;says=2                                 -
music;music=hold                             MusicFor hold
music                                        MusicFor
music.hold                                   -
conference.3f2a_B-9                          ConferenceOf 3f2a_B-9
conference                                   -
conference.                                  -
conference.a.b                               -
conference.a%2fb                             -
call;token=t;words=a                         -
other;words=a                                -
"""


def shown(target):
    match type(target).__name__:
        case "SayTo":
            words = ".".join(word.value for word in target.words)
            return f"SayTo {words} keys={target.keys} refers={target.refers}"
        case "MenuOf":
            (word,) = target.prompt
            return (
                f"MenuOf {word.value} choices={target.choices} extension={target.extension_digits}"
                f" timeout={target.timeout_s} tries={target.tries}"
            )
        case "QueueFor":
            return f"QueueFor music={target.music} position={target.position} says={target.says_position}"
        case "NoneType":
            return "-"
        case kind:
            return f"{kind} {target[0]}".strip()


def uri_of(text):
    user, semicolon, params = text.partition(";")
    uri = parse_uri(f"sip:{user}@127.0.0.1:5070{semicolon}{params}")
    assert isinstance(uri, SipUri)
    return uri


@pytest.mark.parametrize("row", TARGETS.strip().split("\n"))
def test_a_request_uri_says_what_is_wanted(row):
    text, expected = row.split(maxsplit=1)
    assert shown(service_target_of(uri_of(text))) == expected


def test_a_call_out_has_a_token_and_words():
    asked = call_out_of(uri_of("call;token=abc-1;words=reminder-call;then=refer"))
    assert (asked.token, asked.say.refers) == ("abc-1", True)
    for text in ("call;token=abc", "call;words=a", "call;token=a%20b;words=a", "say;token=a;words=a"):
        assert call_out_of(uri_of(text)) is None


def test_star_and_hash_are_letters():
    assert letters_of("1*#0") == "1sh0"


@given(st.text("abs;=.%0123456789-wordskeyschoicesprompt", max_size=60))
def test_whatever_the_parameters_are_nothing_breaks(text):
    try:
        uri = parse_uri(f"sip:menu@x;prompt=a;choices=1;{text}")
    except SipParseError:
        return
    service_target_of(uri)
    call_out_of(uri)
