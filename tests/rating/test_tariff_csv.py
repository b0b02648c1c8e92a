"""conf/tariffs/*.csv: what is accepted; every problem named with line, column, found and expected."""

import pytest

import rating.csv_table
from rating.money import VatMode
from rating.rate import RATES_PER_PREFIX_MAX
from rating.tariff import Tariff, TariffProblem, TariffProblems, load_tariff

HEADER = "prefix,destination,connect_fee,per_minute,initial_s,next_s,valid_from,valid_until"
GOOD = "+44,United Kingdom,0.00,0.012,60,6,2026-01-01,"


def load(*lines: str, header: str = HEADER, end: str = "\n") -> Tariff:
    return load_tariff("retail", end.join([header, *lines, ""]), "inc_vat")


def problems_of(text: str) -> tuple[TariffProblem, ...]:
    with pytest.raises(TariffProblems) as caught:
        load_tariff("retail", text, "inc_vat")
    return caught.value.problems


def problems(*lines: str, header: str = HEADER) -> tuple[TariffProblem, ...]:
    return problems_of("\n".join([header, *lines]))


def with_field(column: str, value: str) -> str:
    fields = GOOD.split(",")
    fields[HEADER.split(",").index(column)] = value
    return ",".join(fields)


def test_a_row_becomes_a_rate() -> None:
    (rate,) = load(GOOD).rates
    assert (rate.prefix, rate.destination) == ("+44", "United Kingdom")
    assert (rate.connect_fee_micros, rate.per_minute_micros) == (0, 12_000)
    assert (rate.initial_s, rate.next_s) == (60, 6)
    assert (rate.valid_from_ms, rate.valid_until_ms) == (1_767_225_600_000, None)
    assert rate.vat is VatMode.INC_VAT


def test_a_date_until_is_the_last_day() -> None:
    day_ms = 86_400_000
    (rate,) = load(with_field("valid_until", "2026-01-01")).rates
    assert rate.valid_until_ms == rate.valid_from_ms + day_ms


def test_the_vat_mode_is_compared_as_enum_or_as_its_word() -> None:
    tariff = load_tariff("trade", f"{HEADER}\n{GOOD}", "ex_vat")
    word: str = tariff.vat
    assert tariff.vat is VatMode.EX_VAT
    assert word == "ex_vat"


@pytest.mark.parametrize(
    "text",
    [
        f"\ufeff{HEADER}\r\n\r\n{GOOD}\r\n\r\n",
        f"{HEADER}\n{GOOD}",
        f'# pounds, VAT included\n\n{HEADER}\n# United Kingdom, "all\n{GOOD}\n,,,,,,,\n   \n',
        f'{HEADER}\n"+44", United Kingdom ,"0.00",0.012\t,60,6,2026-01-01,\n',
        "valid_until,valid_from,next_s,initial_s,per_minute,connect_fee,destination,prefix\n"
        ",2026-01-01,6,60,0.012,0.00,United Kingdom,+44\n",
    ],
    ids=[
        "byte order mark and CRLF",
        "no end of line",
        "remarks and empty rows",
        "quotes and spaces",
        "other order",
    ],
)
def test_the_ways_in_which_spreadsheets_write_a_file_are_all_read(text: str) -> None:
    assert load_tariff("retail", text, "inc_vat").rates == load(GOOD).rates


def test_a_quoted_field_may_hold_commas_and_quotes() -> None:
    (rate,) = load('+44,"Isle of Man, ""the Island""",0.00,0.012,60,6,2026-01-01,').rates
    assert rate.destination == 'Isle of Man, "the Island"'


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("prefix", ""),
        ("prefix", "01632"),
        ("prefix", "0044"),
        ("prefix", "441632"),
        ("prefix", "+44 1632"),
        ("prefix", "+\uff14\uff14"),
        ("prefix", "+1234567890123456"),
        ("prefix", "on_net"),
        ("prefix", "999"),
        ("prefix", "112"),
        ("prefix", "18000"),
        ("destination", ""),
        ("destination", "x" * 81),
        ("destination", "bell\x07"),
        ("destination", "nul\x00"),
        ("destination", "\udce9"),
        ("connect_fee", "-0.10"),
        ("connect_fee", "-0"),
        ("connect_fee", ""),
        ("per_minute", "-0.012"),
        ("per_minute", "NaN"),
        ("per_minute", "inf"),
        ("per_minute", "1e5"),
        ("per_minute", "1_0"),
        ("per_minute", "0.0000001"),
        ("per_minute", "\uff11.\uff10"),
        ("per_minute", "\u0661"),
        ("per_minute", "10000.000001"),
        ("per_minute", "1.2p"),
        ("initial_s", "0"),
        ("initial_s", "-6"),
        ("initial_s", "06"),
        ("initial_s", "6.0"),
        ("initial_s", "1_0"),
        ("initial_s", "\u0666"),
        ("initial_s", "3601"),
        ("next_s", "0"),
        ("next_s", "99999999999"),
        ("next_s", ""),
        ("valid_from", ""),
        ("valid_from", "01/01/2026"),
        ("valid_from", "2026-02-30"),
        ("valid_from", "2026-10-25T01:30"),
        ("valid_until", "never"),
        ("valid_until", "2025-12-31"),
        ("valid_until", "2026-01-01T00:00"),
    ],
)
def test_a_bad_field_is_named_with_line_column_found_and_expected(column: str, value: str) -> None:
    (problem,) = problems(GOOD.replace("+44", "+33"), with_field(column, value))
    assert (problem.line, problem.column) == (3, column)
    assert problem.found.startswith(ascii(value)[:10])
    assert problem.found.isascii()
    assert problem.expected
    assert str(problem).startswith(f"line 3, {column}: found ")


def test_all_problems_of_all_lines_are_told_at_once() -> None:
    found = problems(
        "44,,x,-1,0,0.5,soon,later",
        GOOD,
        with_field("per_minute", "1e5"),
        "+33,too,few",
    )
    assert [(problem.line, problem.column) for problem in found] == [
        (2, "prefix"),
        (2, "destination"),
        (2, "connect_fee"),
        (2, "per_minute"),
        (2, "initial_s"),
        (2, "next_s"),
        (2, "valid_from"),
        (2, "valid_until"),
        (4, "per_minute"),
        (5, ""),
    ]


@pytest.mark.parametrize(
    ("header", "column", "found"),
    [
        (HEADER.replace(",next_s", ""), "next_s", "no such column"),
        (HEADER.replace("next_s", "initial_s"), "initial_s", "2 columns of this name"),
        (HEADER + ",currency", "", "'currency'"),
        (HEADER.replace("per_minute", "Per_Minute"), "per_minute", "no such column"),
    ],
)
def test_the_header_has_each_column_once_and_no_other(header: str, column: str, found: str) -> None:
    first = problems(GOOD, header=header)
    assert (1, column, found) in [(problem.line, problem.column, problem.found) for problem in first]
    assert all(HEADER in problem.expected for problem in first)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "a first line with the columns"),
        ("\n\n# only remarks\n", "a first line with the columns"),
        (HEADER, "at least one row"),
        (f"{HEADER}\n,,,,,,,\n", "at least one row"),
    ],
)
def test_a_file_without_rates_is_a_problem_and_not_an_empty_tariff(text: str, expected: str) -> None:
    (problem,) = problems_of(text)
    assert problem.expected.startswith(expected)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("+44,UK,0,0.012,60,6,2026-01-01", "7 fields"),
        (GOOD + ",", "9 fields"),
        ('+44,"UK,0,0.012,60,6,2026-01-01,', "'+44,\"UK,0,0.012"),
        ('+44,"U"K,0,0.012,60,6,2026-01-01,', '\'+44,"U"K,0,0.01'),
        (GOOD.replace("60", "6\r0"), "'+44,United Kingdom"),
    ],
    ids=["too few", "too many", "a lost quote", "a quote inside", "a bare carriage return"],
)
def test_a_broken_line_is_one_problem_and_the_next_line_is_read(line: str, found: str) -> None:
    (first, second) = problems(line, with_field("per_minute", "x"))
    assert (first.line, first.column) == (2, "")
    assert first.found.startswith(found)
    assert (second.line, second.column) == (3, "per_minute")


def test_rates_of_one_prefix_may_follow_each_other_but_not_overlap() -> None:
    assert load(
        with_field("valid_until", "2026-06-30"),
        with_field("valid_from", "2026-07-01"),
        GOOD.replace("+44", "+33"),
    ).rates
    (problem,) = problems(GOOD, GOOD.replace("+44", "+33"), with_field("valid_from", "2027-01-01"))
    assert (problem.line, problem.column) == (4, "valid_from")
    assert "+44" in problem.found
    assert "line 2" in problem.expected


def test_the_same_row_twice_is_an_overlap() -> None:
    (problem,) = problems(GOOD, GOOD)
    assert problem.line == 3


def test_a_prefix_with_too_many_dated_rates_is_named() -> None:
    rows = [
        with_field("valid_from", f"2026-01-01T{minute // 60:02d}:{minute % 60:02d}").removesuffix(",")
        + f",2026-01-01T{(minute + 1) // 60:02d}:{(minute + 1) % 60:02d}"
        for minute in range(RATES_PER_PREFIX_MAX + 1)
    ]
    (problem,) = problems(*rows)
    assert problem.found == f"{RATES_PER_PREFIX_MAX + 1} rates of +44"


def test_a_line_that_is_too_long_is_not_read() -> None:
    (problem,) = problems(GOOD, with_field("destination", "x" * 1_000))
    assert problem.line == 3
    assert problem.expected == "at most 1000 characters in a line"
    assert len(problem.found) < 100


def test_a_file_that_is_too_long_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rating.csv_table, "CSV_CHARS_MAX", 100)
    (problem,) = problems(GOOD, GOOD)
    assert problem.expected == "at most 100 in a file"


def test_a_file_with_too_many_rows_is_not_read_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rating.csv_table, "CSV_ROWS_MAX", 2)
    (problem,) = problems(*(GOOD.replace("+44", f"+{number}") for number in (30, 31, 32, 33)))
    assert problem.line == 4
    assert problem.expected == "at most 2 rows in a file"


@pytest.mark.parametrize("line", ["nonsense", '"', with_field("per_minute", "x"), GOOD])
def test_a_file_of_the_wrong_kind_does_not_make_endless_problems(
    monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.setattr(rating.csv_table, "PROBLEMS_MAX", 10)
    found = problems(*([line] * 50))
    assert 10 <= len(found) <= 11


def test_the_message_of_all_problems_names_the_tariff() -> None:
    with pytest.raises(
        TariffProblems, match=r"tariff retail: line 2, per_minute: found 'x', expected pounds"
    ):
        load(with_field("per_minute", "x"))


def test_a_text_has_rows_of_its_own() -> None:
    tariff = load(
        GOOD,
        "sms:+44,Text,0.05,0,1,1,2026-01-01,",
        "sms:+447700900123456,A whole number,0.06,0,1,1,2026-01-01,",
        "sms:on-net,Text to a colleague,0,0,1,1,2026-01-01,",
    )
    at_ms = 1_767_225_600_000
    text, call = tariff.text_rate_for("+447700900123", at_ms), tariff.rate_for("+447700900123", at_ms)
    assert text is not None and call is not None
    assert (text.destination, text.connect_fee_micros, text.is_for_texts) == ("Text", 50_000, True)
    assert (call.destination, call.is_for_texts) == ("United Kingdom", False)
    whole = tariff.text_rate_for("+447700900123456", at_ms)
    assert whole is not None and whole.connect_fee_micros == 60_000
    on_net = tariff.text_rate_for("on-net", at_ms)
    assert on_net is not None and on_net.is_free
    assert tariff.text_rate_for("+33123456789", at_ms) is None
    assert tariff.text_rate_for("+447700900123", at_ms - 1) is None
    assert tariff.rate_for("on-net", at_ms) is None


@pytest.mark.parametrize(
    ("row", "column"),
    [
        ("sms:+44,Text,0.05,0.01,1,1,2026-01-01,", "per_minute"),
        ("sms:118,Text,0.05,0,1,1,2026-01-01,", "prefix"),
        ("sms:,Text,0.05,0,1,1,2026-01-01,", "prefix"),
        ("sms:sms:+44,Text,0.05,0,1,1,2026-01-01,", "prefix"),
        ("SMS:+44,Text,0.05,0,1,1,2026-01-01,", "prefix"),
    ],
)
def test_a_text_row_that_cannot_be(row: str, column: str) -> None:
    assert [problem.column for problem in problems(row)] == [column]
