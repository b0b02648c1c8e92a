"""The words of what was decided about a call, on its record."""

from switch.calls.decisions import CHARS_MAX, add_decision
from tests.provisioning.records import cdr


def test_words_are_added_once_each_and_only_as_long_as_there_is_room() -> None:
    row = cdr("c1")
    for words in ("", "cli invalid: pass", "withheld by the caller for this call", "cli invalid: pass"):
        add_decision(row, words)
    assert row.decisions == "cli invalid: pass; withheld by the caller for this call"
    add_decision(row, "x" * CHARS_MAX)
    assert row.decisions == "cli invalid: pass; withheld by the caller for this call"
