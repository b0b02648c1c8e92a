"""Ranges of numbers as people write them, assigned and taken back whole or not at all."""

import asyncpg
import pytest

from provisioning import service
from provisioning.number_ranges import RANGE_MAX, parse_range
from provisioning.service import InvalidValue, Refused
from tests.provisioning.databases import add_prepaid, in_database

REALM = "sip.example.com"


@pytest.mark.parametrize(
    ("text", "first", "last", "count"),
    [
        ("02079460100-02079460199", "+442079460100", "+442079460199", 100),
        ("020 7946 0100 - 020 7946 0199", "+442079460100", "+442079460199", 100),
        ("020-7946-0100-020-7946-0199", "+442079460100", "+442079460199", 100),
        ("+44 20 7946 0100 \u2013 +44 20 7946 0109", "+442079460100", "+442079460109", 10),
        ("020 7946 0100-199", "+442079460100", "+442079460199", 100),
        ("02079460100-9", "+442079460100", "+442079460109", 10),
        ("01632960000-969999", "+441632960000", "+441632969999", 10_000),
        ("02079460100-02079460100", "+442079460100", "+442079460100", 1),
        # one number, whatever stands in it
        ("020-7946-0100", "+442079460100", "+442079460100", 1),
        ("01632 960-001", "+441632960001", "+441632960001", 1),
    ],
)
def test_a_range_is_read_as_people_write_it(text: str, first: str, last: str, count: int) -> None:
    numbers = parse_range(text)
    assert (numbers[0], numbers[-1], len(numbers)) == (first, last, count)
    assert len(set(numbers)) == count


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("02079460199-02079460100", "comes after the first"),
        ("020 7946 0199-100", "comes after the first"),
        ("01632960000-01632970000", f"at most {RANGE_MAX}"),
        ("+33123456789-02079460199", "as long"),
        ("02079460100-x", "telephone number"),
        ("02079460100-\u0661\u0669\u0669", "telephone number"),
        ("", "telephone number"),
        ("-" * 200, "telephone number"),
    ],
)
def test_what_is_no_range_is_refused(text: str, why: str) -> None:
    with pytest.raises(InvalidValue, match=why):
        parse_range(text)


@pytest.mark.wire
@in_database
async def test_a_range_is_assigned_whole_and_taken_back_whole(db: asyncpg.Pool) -> None:
    await add_prepaid(db)
    await service.add_line(db, "pbx1", account_name="Shop", realm=REALM)
    views = await service.assign_numbers(db, "02079460100-02079460199", "pbx1")
    assert [view.e164 for view in views] == [f"+442079460{number}" for number in range(100, 200)]
    assert (await service.show_line(db, "pbx1")).numbers == [view.e164 for view in views]
    again = await service.assign_numbers(db, "02079460190-02079460209", "pbx1")
    assert (len(again), len(await service.list_numbers(db))) == (20, 110)
    gone = await service.unassign_numbers(db, "02079460000-02079460199")
    assert len(gone) == 100
    assert (await service.list_numbers(db))[0].e164 == "+442079460200"


@pytest.mark.wire
@in_database
async def test_one_number_of_another_line_refuses_the_whole_range(db: asyncpg.Pool) -> None:
    await add_prepaid(db)
    for user in ("pbx1", "alice"):
        await service.add_line(db, user, account_name="Shop", realm=REALM)
    await service.assign_number(db, "020 7946 0150", "alice")
    with pytest.raises(Refused, match=r"\+442079460150 is assigned to line 'alice'"):
        await service.assign_numbers(db, "02079460100-199", "pbx1")
    assert len(await service.list_numbers(db)) == 1
    await service.assign_numbers(db, "02079460100-149", "pbx1")
    with pytest.raises(Refused, match="is assigned to line 'pbx1', and 49 more to others"):
        await service.unassign_numbers(db, "02079460100-199")
    with pytest.raises(Refused, match=r"none of \+442079460700 to \+442079460709 is assigned"):
        await service.unassign_numbers(db, "02079460700-9")
    assert len(await service.list_numbers(db)) == 51


@pytest.mark.wire
@in_database
async def test_a_range_that_holds_the_number_of_emergencies_stays(db: asyncpg.Pool) -> None:
    await add_prepaid(db)
    await service.add_line(
        db, "pbx1", account_name="Shop", realm=REALM, emergency_number="020 7946 0100", cli="020 7946 0199"
    )
    await service.assign_numbers(db, "02079460100-199", "pbx1")
    with pytest.raises(Refused, match=r"\+442079460100 is the emergency number"):
        await service.unassign_numbers(db, "02079460100-150")
    with pytest.raises(Refused, match=r"\+442079460199 is the CLI"):
        await service.unassign_numbers(db, "02079460150-199")
    assert len(await service.list_numbers(db)) == 100
