"""What a line of a bank statement pays, as a table."""

import pytest

from billing.payments.matching import Candidate, Decision, Invoices

BAKERY = ("Sample Bakery Ltd", "The Manager", "bakery")
GARAGE = ("Example Garage", "A Driver", "garage")
INVOICES = Invoices(
    [
        Candidate("INV000123", 1, 12_000_000, BAKERY),
        Candidate("INV000124", 1, 20_000_000, BAKERY),
        Candidate("INV000200", 2, 12_000_000, GARAGE),
        Candidate("INV000007", 2, 0, GARAGE),
        Candidate("X-9-000321", 3, 5_000_000, ("Third", "", "third")),
    ]
)

# pennies  payer               text                                       -> the account and invoice, or suggestions
CASES = """
1200 | SAMPLE BAKERY LTD | INV000123                                | 1 INV000123
1200 | SAMPLE BAKERY LTD | inv000123                                | 1 INV000123
1200 | SAMPLE BAKERY LTD | INV 000123                               | 1 INV000123
1200 | SAMPLE BAKERY LTD | INV-123                                  | 1 INV000123
1200 | SAMPLE BAKERY LTD | Invoice INV/000 123                      | 1 INV000123
1200 | SAMPLE BAKERY LTD | I N V 0 0 0 1 2 3                        | 1 INV000123
1200 | SAMPLE BAKERY LTD | INV0 00123                               | 1 INV000123
1200 | SAMPLE BAKERY LTD | BGC INV000123 07700 900123               | 1 INV000123
1200 | SAMPLE BAKERY LTD | INV: 000123.                             | 1 INV000123
 999 | SOMEBODY          | INV000123 part of it                     | 1 INV000123
1200 | SOMEBODY          | INV000007 paid again                     | 2 INV000007
3200 | SAMPLE BAKERY LTD | INV000123 INV000124                      | 1 INV000123
 500 | THIRD             | x9 000321                                | 3 X-9-000321
1200 | SOMEBODY          | 000123                                   | 1 INV000123
1200 | SOMEBODY          | 123                                      | 1 INV000123
 999 | SAMPLE BAKERY     | 123                                      | 1 INV000123
 999 | SOMEBODY          | 123                                      | ? INV000123
 999 | SOMEBODY          | 0000999                                  | ?
1200 | SOMEBODY          | INV000123 and INV000200                  | ? INV000123,INV000200
1200 | SOMEBODY          |                                          | ? INV000123,INV000200
1200 | EXAMPLE GARAGE    | telephone                                | ? INV000200,INV000123
 777 | MR EXAMPLE GARAGE | telephone                                | ? INV000200
 777 | SOMEBODY          | telephone                                | ?
1200 | SOMEBODY          | INV999999                                | ? INV000123,INV000200
1200 | SOMEBODY          | PREINV000123X                            | 1 INV000123
2000 | SAMPLE SHOES LTD  | shoes                                    | ? INV000124
""".strip()


@pytest.mark.parametrize("case", CASES.split("\n"))
def test_a_line_pays(case: str) -> None:
    pennies, payer, text, expected = (part.strip() for part in case.split("|"))
    decision = INVOICES.decide(amount_micros=int(pennies) * 10_000, payer=payer, text=text)
    whose, _, numbers = expected.partition(" ")
    if whose == "?":
        wanted = Decision(suggested=tuple(filter(None, numbers.split(","))))
    else:
        wanted = Decision(int(whose), numbers)
    assert decision == wanted


def test_at_most_five_are_suggested() -> None:
    many = Invoices(Candidate(f"INV{number:06}", number, 1_000_000, ()) for number in range(100, 200))
    assert len(many.decide(amount_micros=1_000_000, payer="", text="").suggested) == 5


def test_a_hostile_text_takes_no_time() -> None:
    """Every expression is linear: this ends."""
    text = "INV" + " 0" * 100_000 + "INV" * 1000
    assert INVOICES.decide(amount_micros=1, payer="", text=text[:300]).account_id is None
