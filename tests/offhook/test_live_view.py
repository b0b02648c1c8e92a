from offhook.live_view import CALL_FIELDS, REMINDER_FIELDS, fact_rows, table_of


def test_live_calls_show_money_in_pounds_and_time_as_on_a_phone() -> None:
    row = {
        "call_id": "c1",
        "state": "up",
        "caller": "1001",
        "account": "anna",
        "destination": "+441632960001",
        "duration_s": 61,
    }
    heads, cells = table_of(CALL_FIELDS, [{**row, "cost_micros": 12_000}])
    shown = dict(zip((head.title for head in heads), cells[0], strict=True))
    assert shown["talked"] == "1:01"
    assert shown["cost"] == "£0.012"
    assert shown["to"] == "+441632960001"
    assert shown["account"] == "anna"


def test_a_reminder_that_comes_again_says_on_which_days() -> None:
    once = {"line": "1001", "at_ms": 1_790_000_000_000, "tries": 0, "every": ""}
    _, cells = table_of(REMINDER_FIELDS, [once, {**once, "every": "0730:135"}])
    assert [row[-1] for row in cells] == ["", "Mon Wed Fri"]


def test_a_field_that_no_row_has_makes_no_column() -> None:
    heads, cells = table_of(CALL_FIELDS, [{"call_id": "c1", "unknown": 1}])
    assert [head.title for head in heads] == ["id"]
    assert cells == [["c1"]]


def test_status_names_nested_values_and_knows_units() -> None:
    facts = dict(
        fact_rows(
            {"ready": True, "trunks": {"north": 2}, "udp": ["127.0.0.1:5060"], "held_micros": 1_500_000}
        )
    )
    assert facts == {"ready": "yes", "trunks north": "2", "udp": "127.0.0.1:5060", "held": "£1.50"}
