"""How a question is understood, in the words that the answer begins with."""

from datetime import UTC, datetime

import pytest

from care.search.numbers import NumberAsked, NumberForm, read_number
from care.search.question import CallKind, CallQuestion
from care.search.statement import call_statement
from care.search.understanding import cursor_text, understand
from provisioning.problems import InvalidValue

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("question", "words"),
    [
        (
            CallQuestion(at="10:15", cli="+44 (0)20 7946 0123"),
            "22 Nov 2026 10:00 to 10:30 GMT, from 020 7946 0123",
        ),
        (
            CallQuestion(at="10:15:30", ddi="...0123", cli="0207946..."),
            "22 Nov 2026 10:13:30 to 10:17:30 GMT, from a number that begins +44207946, to a number that ends 0123",
        ),
        (
            CallQuestion(at="25 Oct 01:15", line="alice"),
            "25 Oct 2026 01:00 to 01:30 BST and 25 Oct 2026 01:00 to 01:30 GMT, line alice",
        ),
        (CallQuestion(at="00:05"), "21 Nov 2026 23:50 to 22 Nov 2026 00:20 GMT"),
        (CallQuestion(number="999"), "at any time, from or to 999"),
        (CallQuestion(trunk="north", cause="503"), "15 Nov 2026 12:00 to 22 Nov 2026 12:00 GMT, trunk north, SIP 503"),
        (
            CallQuestion(since="20 Nov", until="21 Nov", cause="Q.850;34", kinds=frozenset(CallKind)),
            "20 Nov 2026 00:00 to 22 Nov 2026 00:00 GMT, Q.850 cause 34, short calls, calls that failed, sound one way"
            " only, bad sound",
        ),
        (CallQuestion(account="Shop", cli="withheld", longer_than_s=60), "at any time, from a withheld number,"
         " account Shop, longer than 60 s"),
        (CallQuestion(call_id="c1", until="2026-11-01 09:00"), "until 1 Nov 2026 09:00 GMT, call c1"),
        (CallQuestion(at="10:15", cause="no credit"), "22 Nov 2026 10:00 to 10:30 GMT, reason no credit"),
    ],
)  # fmt: skip
def test_the_answer_says_how_the_question_was_understood(question: CallQuestion, words: str) -> None:
    assert understand(question, NOW).words == words


@pytest.mark.parametrize(
    "question",
    [
        CallQuestion(limit=0),
        CallQuestion(limit=1001),
        CallQuestion(at="10:15", since="today"),
        CallQuestion(at="10:15", tolerance_s=0),
        CallQuestion(at="10:15", tolerance_s=86_401),
        CallQuestion(since="today", until="20 Nov"),
        CallQuestion(since="90d"),
        CallQuestion(since="90d", cli="...0123"),
        CallQuestion(since="90d", trunk="north"),
        CallQuestion(line="a\0b"),
        CallQuestion(account="\udc80"),
        CallQuestion(sip_call_id="x" * 257),
        CallQuestion(cli="a\nb"),
        CallQuestion(cli="...12"),
        CallQuestion(ddi="withheld"),
        CallQuestion(number="withheld"),
        CallQuestion(cause="150"),
        CallQuestion(cause="700"),
        CallQuestion(cause="a\x1bb"),
        CallQuestion(longer_than_s=-1),
        CallQuestion(shorter_than_s=10**9),
        CallQuestion(after="x"),
        CallQuestion(after="999999999999999-c"),
        CallQuestion(after="1-a\0"),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused(question: CallQuestion) -> None:
    with pytest.raises(InvalidValue):
        understand(question, NOW)


@pytest.mark.parametrize(
    ("text", "form", "meant"),
    [
        ("020 7946 0123", NumberForm.WHOLE, "+442079460123"),
        ("0044 20 7946 0123", NumberForm.WHOLE, "+442079460123"),
        ("+44 (0)20-7946-0123", NumberForm.WHOLE, "+442079460123"),
        ("0207946...", NumberForm.FIRST, "+44207946"),
        ("0207946\u2026", NumberForm.FIRST, "+44207946"),
        ("+44 (0)20 7946*", NumberForm.FIRST, "+44207946"),
        ("00 353 1...", NumberForm.FIRST, "+3531"),
        ("118...", NumberForm.FIRST, "118"),
        ("...0123", NumberForm.LAST, "0123"),
        ("... 01 23", NumberForm.LAST, "0123"),
        ("*0123", NumberForm.LAST, "0123"),
        ("999", NumberForm.WORD, "999"),
        ("*55*0730#", NumberForm.WORD, "*55*0730#"),
        ("*#21#", NumberForm.WORD, "*#21#"),
        ("alice", NumberForm.WORD, "alice"),
        ("Withheld", NumberForm.WITHHELD, ""),
    ],
)
def test_numbers_in_any_writing_and_parts_of_them(text: str, form: NumberForm, meant: str) -> None:
    assert read_number(text, what="CLI") == NumberAsked(form, meant)


def test_what_people_type_is_always_a_parameter() -> None:
    text = "'; DROP TABLE cdrs; --{a}"
    asked = CallQuestion(
        cli=text, ddi=text, number=text, line=text, account=text, trunk=text, call_id=text, sip_call_id=text,
        cause=text, outcome=text, after=cursor_text(1, text),
    )  # fmt: skip
    statement, arguments = call_statement(understand(asked, NOW), 7)
    assert "DROP" not in statement.upper()
    assert arguments.count(text) == 8
