"""billing.toml."""

from pathlib import Path

import pytest

from billing.conf import NoBillingFile, load_billing
from billing.vat import VatRounding
from switch.conf_files import ConfProblems

CONF = Path(__file__).parents[2] / "conf"


def test_the_file_that_comes_with_the_release_is_read() -> None:
    conf = load_billing(CONF)
    assert conf.invoice.vat_rounding is VatRounding.HALF_UP
    assert [entry.percent for _, entry in conf.vat.entries] == [1500, 1750, 2000]


def test_a_folder_without_the_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(NoBillingFile, match=r"billing\.toml"):
        load_billing(tmp_path)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ('vat_rounding = "half_up"', 'vat_rounding = "nearest"', "line_0.1p_down"),
        ('prefix = "INV"', 'prefix = "inv"', "capital letters"),
        ('prefix = "INV"', 'prefix = "INV1"', "no digit at the end"),
        ('payment_prefix = "PAY"', 'payment_prefix = "INV"', "three different"),
        ('up_to = "250.00"', 'up_to = "250.005"', "pounds and pence"),
        ('sort_code = ""', 'sort_code = "123456"', "12-34-56"),
        ('sender = ""', 'sender = "a@b\\nBcc: c@d"', "e-mail address"),
        ("[seller]", "[sellers]", "perhaps seller"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, before: str, after: str, expected: str) -> None:
    text = (CONF / "billing.toml").read_text("utf-8")
    assert text.count(f"\n{before}\n") == 1
    (tmp_path / "billing.toml").write_text(text.replace(f"\n{before}\n", f"\n{after}\n"), "utf-8")
    with pytest.raises(ConfProblems) as found:
        load_billing(tmp_path)
    assert expected in str(found.value)
    assert all(problem.line > 0 for problem in found.value.problems)
