"""What calls cost and would cost, per account and destination, as a table, JSON or CSV."""

from collections.abc import Mapping
from typing import Any

from offhook.output import columns, print_error, print_table
from provisioning.csv_output import Amount, csv_text
from provisioning.rerating.comparison import Comparison, Difference
from rating.money import format_pounds

PROBLEMS_SHOWN = 20  # of the first ones; --json has more
ALL = "all"


def print_comparison(found: Comparison, names: Mapping[int, str], *, only_changed: bool = False) -> None:
    """`names` are the accounts'; one that is missing is shown by its number."""
    heads = columns("account", "destination", ">legs", ">charged", ">would be", ">difference")
    rows = [
        [
            _account(each, names),
            each.destination,
            str(each.legs),
            format_pounds(each.old_micros),
            format_pounds(each.new_micros),
            format_pounds(each.diff_micros),
        ]
        for each in in_order(found, names)
        if each.diff_micros or not only_changed
    ]
    if rows:
        total = total_of(found)
        amounts = (total.old_micros, total.new_micros, total.diff_micros)
        rows.append([ALL, "", str(total.legs), *map(format_pounds, amounts)])
    print_table(heads, rows, empty="Nothing changes." if found.legs else "No call of this period was charged.")


def print_problems(found: Comparison) -> None:
    for problem in found.problems[:PROBLEMS_SHOWN]:
        print_error(f"call {problem.call_id} leg {problem.leg}: {problem.why}")
    if found.problems_count > PROBLEMS_SHOWN:
        print_error(f"... and {found.problems_count - PROBLEMS_SHOWN} more")


def comparison_json(found: Comparison, names: Mapping[int, str]) -> dict[str, Any]:
    total = total_of(found)
    return {
        "legs": found.legs,
        "old_micros": total.old_micros,
        "new_micros": total.new_micros,
        "diff_micros": total.diff_micros,
        "differences": [
            {
                "account": _account(each, names),
                "account_id": each.account_id,
                "destination": each.destination,
                "legs": each.legs,
                "old_micros": each.old_micros,
                "new_micros": each.new_micros,
                "diff_micros": each.diff_micros,
            }
            for each in in_order(found, names)
        ],
        "problems_count": found.problems_count,
        "problems": found.problems,
    }


def comparison_csv(found: Comparison, names: Mapping[int, str]) -> str:
    """Amounts in pounds."""
    heads = ("account", "destination", "legs", "charged", "would_be", "difference")
    return csv_text(
        heads,
        (
            (
                _account(each, names),
                each.destination,
                each.legs,
                Amount(each.old_micros),
                Amount(each.new_micros),
                Amount(each.diff_micros),
            )
            for each in in_order(found, names)
        ),
    )


def in_order(found: Comparison, names: Mapping[int, str]) -> list[Difference]:
    """By account, the largest difference first."""
    return sorted(
        found.differences.values(),
        key=lambda each: (_account(each, names), -abs(each.diff_micros), each.destination),
    )


def total_of(found: Comparison) -> Difference:
    each = found.differences.values()
    return Difference(
        0,
        "",
        found.legs,
        sum(difference.old_micros for difference in each),
        sum(difference.new_micros for difference in each),
    )


def _account(difference: Difference, names: Mapping[int, str]) -> str:
    return names.get(difference.account_id, f"account {difference.account_id}")
