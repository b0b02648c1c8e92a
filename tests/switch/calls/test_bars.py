"""Which numbers a bar stops, in tables; and which country a number belongs to."""

import pytest

from provisioning.settings import AccountSettings, Bar, LineSettings
from switch.calls.bars import CLASSES, barred, barring_class, has_bars, is_known, matches
from switch.calls.countries import COUNTRY_CODES, country_of
from switch.calls.high_cost import HighCost, has_opted_in
from switch.calls.number_plan import E164, NumberClass, NumberPlan, Short, read_dialled
from switch.conf_safety import DEFAULT_HIGH_COST
from switch.journey.time_sets import TimeSets
from tests.switch.house import make_account, make_line

PLAN = NumberPlan()
NONE = TimeSets()


def number(dialled: str) -> E164 | Short:
    found = read_dialled(dialled, PLAN).destination
    assert isinstance(found, E164 | Short), found
    return found


TABLE = """
# dialled          -> the class that bars it ("-": only all does)
01632960123           national
02079460123           national
03069990123           national
05601056056           national
08431570123           national
08711570123           national
07700900123           mobile
07624123456           mobile
07612345678           mobile
07012345678           mobile
09098790123           premium
118500                directory
195                   directory
159                   national
100                   national
08081570123           -
116123                -
101                   -
111                   -
105                   -
119                   -
0033123456789         international
+12125550100          international
+881612345678         international
01534960123           national
"""


@pytest.mark.parametrize("row", [row.split() for row in TABLE.strip().splitlines() if row[0] != "#"])
def test_each_number_is_in_one_class_and_barred_by_it_and_by_all(row: list[str]) -> None:
    dialled, kind = row
    destination = number(dialled)
    assert barring_class(destination) == kind.replace("-", "")
    stops = {each for each in CLASSES - {"satellite"} if matches(each, destination)}
    assert stops == {"all", kind} - {"-"}


@pytest.mark.parametrize(
    ("what", "dialled", "is_barred"),
    [
        ("country:ES", "0034911234567", True),
        ("country:es", "0034911234567", True),
        ("country:ES", "00351211234567", False),
        ("country:US", "0012125550100", True),
        ("country:US", "0014165550100", False),
        ("country:CA", "0014165550100", True),
        ("country:JM", "0018765550100", True),
        ("country:KZ", "0077271234567", True),
        ("country:RU", "0077271234567", False),
        ("country:RU", "0074951234567", True),
        ("country:JE", "01534960123", True),
        ("country:GB", "01534960123", False),
        ("country:GB", "07700900123", True),
        ("country:GB", "08081570123", False),  # free
        ("+4490*", "09098790123", True),
        ("+4490*", "07700900123", False),
        ("+447700900123", "07700900123", True),
        ("+44770090012", "07700900123", False),
        ("118*", "118500", True),
        ("159", "159", True),
        ("116*", "116123", False),
        ("satellite", "00881612345678", True),
        ("satellite", "00870771234567", True),
        ("satellite", "0033123456789", False),
        ("nonsense", "07700900123", False),
    ],
)
def test_countries_and_patterns(what: str, dialled: str, is_barred: bool) -> None:
    assert matches(what, number(dialled)) is is_barred


def test_a_line_of_the_exchange_is_barred_by_all_only() -> None:
    assert [each for each in sorted(CLASSES) if matches(each, None)] == ["all"]
    assert not matches("country:GB", None)


class Evenings(TimeSets):
    def __contains__(self, name: str) -> bool:
        return name == "evening"

    def is_in(self, name: str, utc_ms: int) -> bool:
        return name == "evening" and utc_ms == 18


def test_a_bar_holds_in_its_time_set_and_always_when_that_is_gone() -> None:
    line = make_line("alice", settings=LineSettings(bars=(Bar("mobile", "evening"),)))
    mobile = number("07700900123")
    assert barred(line, make_account(), mobile, 18, Evenings()) is not None
    assert barred(line, make_account(), mobile, 17, Evenings()) is None
    assert barred(line, make_account(), mobile, 17, NONE) is not None


def test_the_operators_bar_is_named_before_the_customers() -> None:
    line = make_line("alice", settings=LineSettings(bars=(Bar("all"),), operator_bars=(Bar("national"),)))
    account = make_account(
        settings=AccountSettings(bars=(Bar("mobile"),), operator_bars=(Bar("mobile"), Bar("premium")))
    )
    words = {
        dialled: str(barred(line, account, number(dialled), 0, NONE))
        for dialled in ("01632960123", "07700900123", "0033123456789")
    }
    assert words == {
        "01632960123": 'barred for the line: "national"; the operator can lift it',
        "07700900123": 'barred for the account: "mobile"; the operator can lift it',
        "0033123456789": 'barred for the line: "all"; the customer can lift it',
    }
    assert "line" in str(barred(line, None, None, 0, NONE))


def test_without_bars_nothing_is_asked() -> None:
    assert not has_bars(make_line("alice"), make_account())
    assert not has_bars(make_line("alice"), None)
    for settings in (LineSettings(bars=(Bar("all"),)), LineSettings(operator_bars=(Bar("all"),))):
        assert has_bars(make_line("alice", settings=settings), None)
    for theirs in (AccountSettings(bars=(Bar("all"),)), AccountSettings(operator_bars=(Bar("all"),))):
        assert has_bars(make_line("alice"), make_account(settings=theirs))


@pytest.mark.parametrize(
    ("what", "known"),
    [
        *((each, True) for each in CLASSES),
        ("country:ES", True),
        ("country:QQ", False),
        ("country:", False),
        ("+4490*", True),
        ("118", True),
        ("prenium", False),
        ("", False),
        ("+", False),
        ("+44²*", False),
        ("+" + 16 * "1", False),
    ],
)
def test_what_a_bar_may_name(what: str, known: bool) -> None:
    assert is_known(what) is known


def test_countries_by_the_longest_code() -> None:
    found = {each: country_of(each) for each in ("+12685550100", "+39066981234", "+39061234567")}
    assert found == {
        "+12685550100": "AG",
        "+39066981234": "VA",
        "+39061234567": "IT",
    }
    assert country_of("+447624123456") == "IM"
    assert country_of("+881612345678") == "+881"
    assert country_of("+2101") == ""
    assert len(COUNTRY_CODES) > 230
    assert all(len(code) == 2 and code.isupper() for code in COUNTRY_CODES)


@pytest.mark.parametrize(
    ("entries", "dialled", "entry"),
    [
        (DEFAULT_HIGH_COST, "09098790123", "premium"),
        (DEFAULT_HIGH_COST, "00881612345678", "satellite"),
        (DEFAULT_HIGH_COST, "00883510012345", "satellite"),
        (DEFAULT_HIGH_COST, "00979012345678", "+979"),
        (DEFAULT_HIGH_COST, "0019005550100", "+1900"),
        (DEFAULT_HIGH_COST, "005371234567", "country:CU"),
        (DEFAULT_HIGH_COST, "118500", ""),
        (DEFAULT_HIGH_COST, "0012125550100", ""),
        (DEFAULT_HIGH_COST, "07700900123", ""),
        (DEFAULT_HIGH_COST, "01632960123", ""),
        (("+44770090*",), "07700900123", "+44770090*"),
        (("country:JE",), "01534960123", "country:JE"),
        (("mobile",), "07700900123", "mobile"),
        (("all",), "01632960123", "all"),
        (("118",), "118500", "118"),
        ((), "09098790123", ""),
    ],
)
def test_what_is_high_cost(entries: tuple[str, ...], dialled: str, entry: str) -> None:
    assert HighCost(entries).find(number(dialled)) == entry


def test_an_account_opts_in_by_class_country_or_pattern() -> None:
    iridium = number("00881612345678")
    for opted_in, is_open in (
        (("satellite",), True),
        (("+8816*",), True),
        (("premium",), False),
        ((), False),
    ):
        account = make_account(settings=AccountSettings(opted_in=opted_in))
        assert has_opted_in(account, iridium) is is_open


def test_every_class_of_the_plan_is_free_or_has_a_bar() -> None:
    for kind in NumberClass:
        if kind is NumberClass.NOT_IN_USE:
            continue
        stops = [each for each in CLASSES if matches(each, E164("+440000000000", kind, "UK"))]
        assert len(stops) >= 1, kind
