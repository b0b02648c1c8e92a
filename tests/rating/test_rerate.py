"""The charge of every form of price, beside that of a slow and independent rater (rerate/)."""

from tests.rating.rerate.agreement import compare


def test_two_raters_agree_to_the_micro_on_random_calls() -> None:
    found = compare(20_000, seed=2026)
    assert found.differences == []
    assert found.priced > 15_000
