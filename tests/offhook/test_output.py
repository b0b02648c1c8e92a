import io
import sys

import pytest

from offhook.output import columns, plain_lines, print_error, print_facts, print_json, print_line, print_table


def test_a_pipe_gets_plain_aligned_columns(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(columns("name", ">balance"), [["anna", "£10.00"], ["bert", "-£0.50"]], empty="none")
    assert capsys.readouterr().out == "NAME  BALANCE\nanna   £10.00\nbert   -£0.50\n"


def test_an_empty_cell_is_a_dash_so_that_columns_can_be_counted() -> None:
    assert plain_lines(columns("a", "b", "c"), [["1", "", "3"]]) == ["A  B  C", "1  -  3"]


def test_no_rows_are_said_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(columns("name"), [], empty="There is nothing.")
    assert capsys.readouterr().out == "There is nothing.\n"


def test_other_peoples_text_cannot_break_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(columns("phone"), [["\x1b[2Jx\ny"]], empty="")
    assert capsys.readouterr().out == "PHONE\n\\x1b[2Jx\\x0ay\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_table_in_which_markup_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    print_table(columns("name"), [["[red]not a colour[/red]"]], empty="")
    assert "[red]not a colour[/red]" in terminal.getvalue()


def test_facts_are_aligned_and_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    print_facts([("name", "a\tb"), ("balance", "£1.00")])
    assert capsys.readouterr().out == "name     a\\x09b\nbalance  £1.00\n"


def test_json_keeps_money_in_integers(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"balance_micros": 10_000_000, "name": "ann\x1ba"})
    assert capsys.readouterr().out == '{\n  "balance_micros": 10000000,\n  "name": "ann\\u001ba"\n}\n'


def test_a_terminal_that_knows_only_ascii_still_gets_the_line(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    print_line("£10.00")
    stream.flush()
    assert raw.getvalue() == b"\\xa310.00\n"


def test_errors_keep_their_lines_and_lose_their_control_characters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_error("first\nsecond \x07")
    assert capsys.readouterr().err == "first\nsecond \\x07\n"
