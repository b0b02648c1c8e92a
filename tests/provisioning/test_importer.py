"""The file of lines: what is read, and every way in which it can be wrong."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning import importer
from provisioning.importer import LineRow, read_line_file
from provisioning.model import DigestPolicy

HEADING = "user,account,password,numbers\n"


def problems(text: str) -> list[tuple[int, str, str]]:
    """The place and the finding of each."""
    return [(problem.line, problem.column, problem.found) for problem in read_line_file(text).problems]


def test_a_row_gives_a_line_with_its_numbers() -> None:
    file = read_line_file(HEADING + "alice,Shop,correct horse,01632 960001; +44 1632 960002\n")
    assert file.problems == []
    assert file.rows == [
        LineRow(
            2,
            "alice",
            "Shop",
            "correct horse",
            ("+441632960001", "+441632960002"),
            "",
            "",
            "",
            DigestPolicy.MD5,
        )
    ]


def test_columns_may_stand_in_any_order_with_the_optional_ones_among_them() -> None:
    file = read_line_file(
        "\ufeffNumbers, digest ,account,emergency_address,user,password,emergency_number,cli\r\n"
        ',sha256,Shop,"1 High Street, Anytown",bob,,01632 960009,01632 960008\r\n'
        "\r\n"
    )
    assert file.problems == []
    assert file.rows == [
        LineRow(
            2,
            "bob",
            "Shop",
            None,
            (),
            "+441632960008",
            "+441632960009",
            "1 High Street, Anytown",
            DigestPolicy.SHA256,
        )
    ]


def test_every_problem_is_named_with_its_line_and_column() -> None:
    found = problems(
        HEADING
        + "Alice,Shop,,\n"
        + "bob,,x,01632\n"
        + "\n"
        + "carol,Shop\n"
        + "dave,Shop,,01632 960001;01632960001\n"
        + "bob,Shop,,+44 1632 960001\n"
    )
    assert found == [
        (2, "user", "Alice"),
        (3, "password", "(not shown)"),
        (3, "account", ""),
        (3, "numbers", "01632"),
        (5, "row", "2 cells"),
        (6, "numbers", "+441632960001"),
        (7, "numbers", "+441632960001"),
        (7, "user", "bob"),
    ]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("", (1, "heading", "an empty file")),
        ("\n\n", (1, "user", "")),
        ("user,account,password\n", (1, "numbers", "user,account,password")),
        ("user,account,password,numbers,colour\n", (1, "colour", "colour")),
        ("user,account,password,numbers,user\n", (1, "user", "user,account,password,numbers,user")),
        ("alice;Shop;;\n", (1, "user", "alice;shop;;")),
    ],
)
def test_a_wrong_heading_is_told_once_and_ends_the_reading(text: str, place: tuple[int, str, str]) -> None:
    assert problems(text)[0] == place
    assert read_line_file(text).rows == []


def test_a_quote_that_never_closes_is_a_problem_of_its_row() -> None:
    assert problems(HEADING + 'alice,Shop,"never,closed\n')[0][1] == "row"


def test_a_line_feed_in_a_cell_counts_as_a_line_and_is_no_address() -> None:
    text = HEADING.replace("\n", ",emergency_address\n") + 'alice,Shop,,,"1 High\nStreet"\nBOB,Shop,,,\n'
    assert problems(text) == [(2, "emergency_address", "1 High\nStreet"), (4, "user", "BOB")]


def test_an_old_machines_lone_carriage_returns_are_a_problem_and_not_one_long_row() -> None:
    assert problems("user,account,password,numbers\ralice,Shop,,\r")[0][:2] == (1, "row")


def test_a_file_longer_than_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "ROWS_MAX", 3)
    assert problems(HEADING + "".join(f"u{n},Shop,,\n" for n in range(3))) == []
    assert problems(HEADING + "".join(f"u{n},Shop,,\n" for n in range(4)))[0][:2] == (6, "row")


def test_a_huge_cell_and_too_many_numbers_are_refused() -> None:
    assert problems(HEADING + f"alice,Shop,,{'1' * 5000}\n") == [(2, "row", "a cell of 5000 characters")]
    assert problems(HEADING + f"alice,Shop,,{'01632960001;' * 101}\n")[0][:2] == (2, "numbers")
    assert problems(HEADING + f"alice,Shop,,{'1' * 200_000}\n")[0][:2] == (2, "row")


def test_a_hopeless_file_does_not_give_endless_problems() -> None:
    assert len(read_line_file(HEADING + "X,,,\n" * 5000).problems) == importer.PROBLEMS_MAX


def test_passwords_never_stand_in_a_problem() -> None:
    text = HEADING + "alice,Shop,secret1,\nbob,Shop,secret2,x,y\ncarol,Shop," + "secret3" * 1000 + ",\n"
    assert "secret" not in " ".join(str(problem) for problem in read_line_file(text).problems)


@given(st.text(max_size=200))
def test_any_text_gives_rows_or_problems_and_never_a_traceback(text: str) -> None:
    read_line_file(text)
    file = read_line_file(HEADING + text)
    assert all(problem.line >= 1 and problem.expected for problem in file.problems)
