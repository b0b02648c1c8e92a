"""Commands of payments as far as they need no exchange: what they refuse before they ask anybody."""

from pathlib import Path

import pytest

from offhook.commands import bill_due, payment
from offhook.commands.billing_findings import billing_problems
from offhook.commands.credit_gate import ground_for_new, ground_of
from offhook.exit_codes import CommandError, ExitCode

CONF = Path(__file__).parents[2] / "conf"


@pytest.mark.parametrize(
    ("amount", "method"), [("0", "card"), ("12.00", "direct_debit"), ("12.00", "cheque"), ("much", "card")]
)
def test_a_page_that_makes_no_sense_is_not_asked_for(tmp_path: Path, amount: str, method: str) -> None:
    with pytest.raises(CommandError) as refused:
        payment.request("Shop", amount, method=method, data=tmp_path, conf=CONF)
    assert refused.value.code is ExitCode.INVALID


def test_without_billing_toml_commands_say_so(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"no billing\.toml"):
        payment.record("Shop", "12.00", method="cash", reference="1", data=tmp_path, conf=tmp_path)


def test_a_line_is_decided_on_in_one_way(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="one of"):
        payment.match(1, invoice="INV000001", account="Shop", data=tmp_path, conf=CONF)
    with pytest.raises(CommandError, match="one of"):
        payment.match(1, data=tmp_path, conf=CONF)


@pytest.mark.parametrize("day", ["tomorrow", "2026-13-01", "01/12/2026"])
def test_the_day_of_the_daily_work_is_a_day(tmp_path: Path, day: str) -> None:
    with pytest.raises(CommandError, match="--on"):
        bill_due.due(on=day, data=tmp_path, conf=CONF)


def test_n4_nobody_is_added_who_pays_later_without_a_ground() -> None:
    with pytest.raises(CommandError, match="credit check"):
        ground_for_new(0, check="", override="")
    with pytest.raises(CommandError, match="either"):
        ground_of(0, check="Agency", override="my word")
    assert ground_for_new(7, check="Agency", override="").limit_micros == 7


def test_keys_that_others_may_read_are_a_problem(tmp_path: Path) -> None:
    for name in ("billing.toml",):
        (tmp_path / name).write_bytes((CONF / name).read_bytes())
    assert billing_problems(tmp_path) == []
    secrets = tmp_path / "billing_secrets.toml"
    secrets.write_text('[stripe]\nsecret_key = "sk_drama"\nwrong = 1\n', encoding="utf-8")
    secrets.chmod(0o644)
    (tmp_path / "statements").mkdir()
    (tmp_path / "statements" / "bad.toml").write_text("[statement]\n", encoding="utf-8")
    said = [str(problem) for problem in billing_problems(tmp_path)]
    assert any("0600" in line for line in said)
    assert any("wrong" in line for line in said)
    assert any("statements/bad.toml" in line for line in said)
    assert not any("sk_drama" in line for line in said)


def test_a_state_that_no_payment_has_is_answered_with_those_that_there_are(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="expected one of pending, received, failed, cancelled"):
        payment.list_(state="recieved", data=tmp_path)


def test_the_files_that_come_with_the_exchange_are_sound() -> None:
    assert billing_problems(CONF) == []
