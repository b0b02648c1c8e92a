"""Settings as people write them: what is read, what it becomes, and what is refused in which words."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.problems import InvalidValue
from provisioning.settings import WITHHELD, AccountSettings, Bar, LineSettings, PresentedNumber
from provisioning.settings_rows import json_from_settings, names_of, settings_from_json
from provisioning.settings_text import (
    ACCOUNT_KEYS,
    LINE_KEYS,
    changed_account_settings,
    changed_line_settings,
    read_account_assignments,
    read_line_assignments,
    shown_settings,
)


def line_after(*texts: str) -> LineSettings:
    return changed_line_settings(LineSettings(), read_line_assignments(texts))


def account_after(*texts: str) -> AccountSettings:
    return changed_account_settings(AccountSettings(), read_account_assignments(texts))


def test_every_setting_can_be_written() -> None:
    assert list(LINE_KEYS) == names_of(LineSettings)
    assert list(ACCOUNT_KEYS) == names_of(AccountSettings)


@pytest.mark.parametrize(
    ("texts", "key", "value"),
    [
        (["does_not_disturb=yes"], "does_not_disturb", True),
        (["has_call_waiting=off"], "has_call_waiting", False),
        (
            ["blocked_callers=01632 960001,+441632960002"],
            "blocked_callers",
            ("+441632960001", "+441632960002"),
        ),
        (
            ["blocked_callers+=withheld", "blocked_callers+=0044163296*"],
            "blocked_callers",
            (WITHHELD, "+44163296*"),
        ),
        (
            ["blocked_callers=01632960001", "blocked_callers+=01632960001"],
            "blocked_callers",
            ("+441632960001",),
        ),
        (["blocked_callers=01632960001", "blocked_callers-=0163 2960001"], "blocked_callers", ()),
        (["blocked_callers=01632960001", "blocked_callers="], "blocked_callers", ()),
        (["blocked_destinations=090*"], "blocked_destinations", ("+4490*",)),
        (
            ["bars=premium,international@office,country:es"],
            "bars",
            (Bar("premium"), Bar("international", "office"), Bar("country:ES")),
        ),
        (["speed_dials=7:01632960001,12:1002"], "speed_dials", {"7": "+441632960001", "12": "1002"}),
        (["speed_dials=7:1002", "speed_dials+=7:1003", "speed_dials-=8"], "speed_dials", {"7": "1003"}),
        (["speed_dials=7:1002", "speed_dials-=7"], "speed_dials", {}),
        (["pickup_group=sales"], "pickup_group", "sales"),
        (["presents=0044163296*:4:letter"], "presents", (PresentedNumber("+44163296*", 4, "letter"),)),
        (["presents=*:4:letter:2027-01-31"], "presents", (PresentedNumber("+*", 4, "letter", "2027-01-31"),)),
        (["presents=+*:4:letter", "presents-=*:4:letter"], "presents", ()),
        (
            ["presents=03069990001:5:letter of May:2027-01-31"],
            "presents",
            (PresentedNumber("+443069990001", 5, "letter of May", "2027-01-31"),),
        ),
    ],
)
def test_what_is_written_for_a_line(texts: list[str], key: str, value: object) -> None:
    assert getattr(line_after(*texts), key) == value


@pytest.mark.parametrize(
    ("texts", "key", "value"),
    [
        (["daily_cap=25.00"], "daily_cap_micros", 25_000_000),
        (["monthly_cap_micros=0.50"], "monthly_cap_micros", 500_000),
        (["daily_cap=1", "daily_cap=none"], "daily_cap_micros", None),
        (["opted_in+=international", "opted_in+=country:CU"], "opted_in", ("international", "country:CU")),
        (["bars+=premium@night-time"], "bars", (Bar("premium", "night-time"),)),
    ],
)
def test_what_is_written_for_an_account(texts: list[str], key: str, value: object) -> None:
    assert getattr(account_after(*texts), key) == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "KEY=VALUE"),
        ("does_not_disturb", "KEY=VALUE"),
        ("dnd=yes", "line setting 'dnd': expected one of does_not_disturb, rejects_anonymous"),
        ("does_not_disturb=maybe", "does_not_disturb 'maybe': expected yes or no"),
        ("does_not_disturb=", "does_not_disturb '': expected yes or no"),
        (
            "does_not_disturb+=yes",
            "'does_not_disturb+=yes': expected does_not_disturb=VALUE, as it is no list",
        ),
        ("blocked_callers=12", "blocked_callers '12': expected a number such as 01632960001"),
        ("blocked_callers=01632960001,,", "blocked_callers '': expected a number"),
        ("blocked_callers=*", "blocked_callers"),
        ("blocked_callers=\u0660\u0661*", "blocked_callers"),
        ("blocked_destinations=withheld", "blocked_destinations 'withheld'"),
        ("bars=everything", "bars 'everything': expected premium, international, mobile"),
        ("bars=premium@", "bars 'premium@'"),
        ("bars=premium@Büro", "bars"),
        ("bars=country:ESP", "bars"),
        ("speed_dials=7", "speed_dials '7': expected CODE:NUMBER"),
        ("speed_dials=123:1002", "speed_dials '123:1002'"),
        ("speed_dials=7:x", "speed_dials 'x'"),
        ("pickup_group=Sales Team", "pickup_group 'Sales Team': expected the name of a group"),
        ("presents=03069990001", "presents '03069990001': expected NUMBER:TYPE:UNDERTAKING"),
        ("presents=03069990001:1:letter", "presents"),
        ("presents=0306999*:3:letter", "presents"),
        ("presents=+*:5:letter", "presents"),
        ("presents=03069990001:3:letter:31.1.2027", "presents"),
        ("hidden_callers=secret", "hidden_callers= empties the list"),
        ("blocked_callers=" + "withheld," * 5 + "01632\x1b[2J", "\\x1b[2J"),
    ],
)
def test_what_is_refused_names_key_value_and_what_is_allowed(text: str, words: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        line_after(text)
    assert words in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("text", ["daily_cap=-1", "daily_cap=1e9", "daily_cap=1000000.01", "daily_cap=many"])
def test_a_cap_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match=r"daily_cap_micros .*: expected pounds such as 25\.00"):
        account_after(text)


def test_a_list_has_its_limit() -> None:
    numbers = [f"01632960{n:03}" for n in range(101)]
    full = line_after("blocked_callers=" + ",".join(numbers[:100]))
    assert len(full.blocked_callers) == 100
    with pytest.raises(InvalidValue, match="at most 100 in the list"):
        changed_line_settings(full, read_line_assignments([f"blocked_callers+={numbers[100]}"]))
    assert changed_line_settings(full, read_line_assignments([f"blocked_callers+={numbers[0]}"])) == full


def test_a_line_with_every_list_full_fits_into_its_column() -> None:
    def listed(key: str, items: list[str]) -> str:
        return f"{key}={','.join(items)}"

    numbers = [f"+441632960{n:03}".ljust(16, "0") for n in range(100)]
    full = line_after(
        listed("blocked_callers", [f"{number[:15]}*" for number in numbers]),
        listed("blocked_destinations", [f"{number[:15]}*" for number in numbers]),
        listed("hidden_callers", [f"{n:032x}" for n in range(100)]),
        listed("speed_dials", [f"{n}:+4930{n:011}" for n in range(100)]),
        listed("bars", [f"+4416329{n:02}*@{'n' * 32}" for n in range(32)]),
        listed("operator_bars", [f"+4416329{n:02}*@{'n' * 32}" for n in range(32)]),
        listed("presents", [f"+4416329600{n:02}:5:{'ß' * 64}:2027-01-31" for n in range(20)]),
    )
    assert len(json_from_settings(full).encode()) < 20_000  # and there is room for what is to come


@given(
    st.lists(
        st.sampled_from(
            [
                "does_not_disturb=yes", "blocked_callers+=01632960001", "blocked_callers+=withheld", "bars=premium@x",
                "speed_dials+=3:1002", "speed_dials+=4:01632960001", "presents+=03069990001:4:letter",
                "bars+=country:FR",
                "blocked_callers-=withheld", "pickup_group=a", "hidden_callers+=00112233445566778899aabbccddeeff",
            ]
        )
    )
)  # fmt: skip
def test_what_is_shown_is_what_would_be_typed(texts: list[str]) -> None:
    settings = line_after(*texts)
    assert line_after(*(f"{key}={value}" for key, value in shown_settings(settings))) == settings
    assert settings_from_json(LineSettings, json_from_settings(settings), "1001") == settings


def test_what_cannot_be_read_is_left_out_and_a_bar_that_cannot_be_read_bars_everything() -> None:
    text = '{"does_not_disturb": true, "rejects_anonymous": "perhaps", "bars": 7, "of_next_year": [1]}'
    found = settings_from_json(LineSettings, text, "1001")
    assert found == LineSettings(does_not_disturb=True, bars=(Bar("all"),))
    broken = settings_from_json(
        AccountSettings, '{"daily_cap_micros": "ten", "opted_in": ["country:ES"]}', "Shop"
    )
    assert broken == AccountSettings(daily_cap_micros=0, opted_in=("country:ES",))


def test_what_has_its_default_is_not_written() -> None:
    assert json_from_settings(LineSettings()) == "{}"
    assert msgspec.json.decode(json_from_settings(line_after("bars_incoming=yes"))) == {"bars_incoming": True}
