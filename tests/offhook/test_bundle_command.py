"""How `offhook bundle` reads what is typed; tests/wire/phones/test_bundles.py has it on a running exchange."""

import datetime
from collections.abc import Callable
from typing import Any

import pytest
import typer.testing

from offhook.__main__ import app
from offhook.commands import bundle
from offhook.commands.account_bundles import bundle_facts
from provisioning.bundle_rows import BundleView
from provisioning.bundles import Grant
from rating.bundle_terms import BundleTerms

DATE = datetime.date


def a_view(**terms: Any) -> BundleView:
    given: dict[str, Any] = {
        "id": 7, "account_id": 1, "revision": 1, "name": "UK 5", "granted_s": 300, "groups": ("UK",),
        "valid_from_ms": 0, "expires_at_ms": None,
    }  # fmt: skip
    return BundleView("Shop", BundleTerms(**{**given, **terms}), 10, 0, 290, 0, "holds", 0, None, "")


@pytest.fixture
def grants(monkeypatch: pytest.MonkeyPatch) -> list[Grant]:
    """What the books were asked for."""
    asked: list[Grant] = []

    def note(_db: object, _account: str, wanted: Grant, *, key: str | None, price_micros: int) -> BundleView:
        assert (key, price_micros) in ((None, 0), ("k", 2_500_000))
        asked.append(wanted)
        return a_view()

    def run(_dsn: str, work: Callable[[object], BundleView]) -> BundleView:
        return work(None)

    monkeypatch.setattr(bundle, "find_dsn", lambda _place, given: given)
    monkeypatch.setattr(bundle, "run_on_books", run)
    monkeypatch.setattr(bundle, "grant_bundle", note)
    return asked


def grant(*words: str) -> typer.testing.Result:
    return typer.testing.CliRunner().invoke(app, ["bundle", "grant", "Shop", "UK 5", *words])


def test_people_name_the_last_day_and_minutes(grants: list[Grant]) -> None:
    words = ("--minutes", "5", "--group", "UK", "--group", "Mobile", "--prefix", "on-net", "--except", "+441534")
    days = ("--from", "2026-12-01", "--until", "2026-12-31", "--carry", "2", "--carry-until", "2027-01-31")
    more = ("--connect-fee", "0.01", "--key", "k", "--price", "2.50", "--fair-use", "--numbers", "9")
    done = grant(*words, *days, *more)
    assert done.exit_code == 0, done.output
    assert grants == [
        Grant(
            name="UK 5", first=DATE(2026, 12, 1), end=DATE(2027, 1, 1), seconds=300, groups=("UK", "Mobile"),
            prefixes=("on-net",), except_prefixes=("+441534",), carry_until=DATE(2027, 2, 1), carry_max_s=120,
            connect_fee_micros=10_000, is_fair_use=True, destinations_max=9,
        )
    ]  # fmt: skip
    assert "4:50" in done.output


@pytest.mark.parametrize(
    "words",
    [("--from", "1/12/2026"), ("--from", "2026-W01-1"), ("--until", "2026-02-30"), ("--until", "9999-12-31"),
     ("--connect-fee", "cheap")],
)  # fmt: skip
def test_what_cannot_be_read_is_refused(grants: list[Grant], words: tuple[str, ...]) -> None:
    done = grant("--minutes", "5", "--group", "UK", *words)
    assert done.exit_code != 0
    assert words[0] in str(done.exception)
    assert grants == []


def test_account_show_has_a_line_for_each_as_the_switch_knows_it() -> None:
    views = [a_view(id=9, percent=10, granted_s=0, name="Ten off"), a_view()]
    live: dict[str, object] = {"bundles": [{"id": 7, "left_s": 120}, "nonsense"]}
    assert bundle_facts(views, live) == [
        ("bundle 7", "UK 5: 2:00 of 5:00 left, holds, until it is used up"),
        ("bundle 9", "Ten off: 10 % off, holds, until further notice"),
    ]
    assert bundle_facts(views[1:], None)[0][1].startswith("UK 5: 4:50 of 5:00 left")
