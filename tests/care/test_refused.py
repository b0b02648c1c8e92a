"""INVITEs that never became a call: what is told of them, from the messages that the switch keeps."""

import asyncio

import pytest

from care.ladder import ladder_of
from care.ladder.text import draw
from care.refused import NEVER_ANSWERED, NOT_ANSWERED, WRONG_LOGIN, refused_invite, story_of_refused
from switch.control import Control
from switch.trace_view import refused_invites
from tests.care.call_stories import Talk, trace
from tests.switch.calls.office import Office
from tests.switch.test_operator_surface import Running

LOGIN = 'Proxy-Authorization: Digest username="1001"\r\n'
CASES = [
    (Talk(), NOT_ANSWERED, 0, 1),
    (Talk().response(407, "INVITE", 0.1, sent=True), NEVER_ANSWERED, 407, 1),
    (
        Talk().response(407, "INVITE", 0.1, sent=True).request("INVITE", 1, sent=False, cseq=2, fields=LOGIN)
        .response(407, "INVITE", 1.1, sent=True, cseq=2),
        WRONG_LOGIN, 407, 2,
    ),
    (Talk().response(403, "INVITE", 0.1, sent=True), "403 Said", 403, 1),
]  # fmt: skip


@pytest.mark.parametrize(("talk", "words", "status", "tries"), CASES)
def test_what_became_of_it(talk: Talk, words: str, status: int, tries: int) -> None:
    first = Talk().request("INVITE", 0, sent=False, fields="User-Agent: friendly-scanner\r\n").messages
    talk.messages = first + talk.messages
    invite = refused_invite(trace(talk))
    assert invite is not None
    assert (invite.words, invite.status, invite.tries) == (words, status, tries)
    assert (invite.source, invite.transport) == ("198.51.100.7:5060", "UDP")
    assert (invite.called, invite.user_agent) == ("sip:bob@example.com", "friendly-scanner" if tries == 1 else "")
    assert "anna" in invite.caller


@pytest.mark.parametrize("privacy", ["id", "header;user", "critical ; ID"])
def test_who_withheld_his_number_is_not_named(privacy: str) -> None:
    fields = f"Privacy: {privacy}\r\nP-Asserted-Identity: <sip:+447700900123@example.com>\r\n"
    talk = Talk().request("INVITE", 0, sent=False, fields=fields).response(403, "INVITE", 1, sent=True)
    invite = refused_invite(trace(talk))
    assert invite is not None and "anna" not in invite.caller
    drawn = "\n".join(draw(ladder_of(story_of_refused(trace(talk))), 120))
    assert "403" in drawn and "anna" not in drawn and "7700900123" not in drawn
    shown = story_of_refused(trace(talk)).trace
    assert shown is not None and all(b"7700900123" not in each.data for each in shown.messages)


def test_a_trace_without_a_message_that_can_be_read_is_none() -> None:
    assert refused_invite(trace()) is None


def test_the_switch_shows_strangers_and_nobody_who_has_a_call() -> None:
    office = Office()
    tracer = office.house.exchange.tracer
    office.call(office.alice, "01632960002")
    assert refused_invites(tracer) == []
    stranger = office.house.phone("nobody", "203.0.113.7")
    stranger.invite("01632960002")
    office.run(2)
    (kept,) = refused_invites(tracer)
    control = Control(Running(office.house))  # type: ignore[arg-type]
    assert asyncio.run(control._answer(b'{"command": "refused_invites"}')) == {"ok": True, "result": [kept]}
    assert refused_invites(tracer, kept.call_id) == [kept]
    assert refused_invites(tracer, "another") == []
    invite = refused_invite(kept)
    assert invite is not None
    assert (invite.words, invite.source) == (WRONG_LOGIN, "203.0.113.7:5060")
    assert all(b"response=" not in each.data or b"xxxx" in each.data for each in kept.messages)
    office.run(60)
    assert refused_invites(tracer) == [kept]
