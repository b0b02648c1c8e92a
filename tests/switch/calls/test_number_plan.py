"""The number plan as tables: what was dialled, what it means."""

import string
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from switch.calls.number_plan import (
    DIALLED_CHARS_MAX,
    E164,
    Dialled,
    DialProblem,
    Emergency,
    NumberFormat,
    NumberPlan,
    PrivacyChoice,
    ServiceCode,
    Short,
    Unrecognised,
    format_number,
    read_dialled,
    read_trunk_number,
)
from switch.calls.uk_ranges import EMERGENCY_NUMBERS, NumberClass, uk_ranges

PLAN = NumberPlan()
NUMBERING = Path(__file__).parents[4] / "shared" / "corpora" / "numbering"


def rows_of(table: str) -> list[tuple[str, str]]:
    """Rows of "left -> right"; both sides may hold spaces, since dialled strings do."""
    lines = [line.strip() for line in table.strip().split("\n")]
    rows = [line.split("->") for line in lines if line and not line.startswith("# ")]
    return [(left.strip(), right.strip()) for left, right in rows]


def summary(dialled: Dialled) -> str:
    """A result in the words of the tables below."""
    match dialled.destination:
        case Emergency(service=service):
            words = f"emergency {service}"
        case E164(number=number, number_class=number_class, territory=territory):
            words = f"{number} {number_class.value} {territory or 'abroad'}"
        case Short(number=number, number_class=number_class):
            words = f"short {number} {number_class.value}"
        case ServiceCode(prefix=prefix, code=code, args=args):
            words = " ".join(["service", prefix + code, *args])
        case Unrecognised(reason=reason):
            words = f"no: {reason.name}"
    if dialled.privacy is not None:
        words += f" {dialled.privacy.value}"
    return words + (f" relay {dialled.relay_prefix}" if dialled.relay_prefix else "")


EMERGENCIES = """
    # dialled                           -> meaning
    999                                 -> emergency 999
    112                                 -> emergency 112
    18000                               -> emergency 18000
    141999                              -> emergency 999 withhold
    1470112                             -> emergency 112 release
    14118000                            -> emergency 18000 withhold
    1411470999                          -> emergency 999 release
    141141141141141141141141141999      -> emergency 999 withhold
    #31#999                             -> emergency 999 withhold
    *31#112                             -> emergency 112 release
    999#                                -> emergency 999
    9-9-9                               -> emergency 999
    1 1 2                               -> emergency 112
    (112)                               -> emergency 112
    %39%39%39                           -> emergency 999
    +44999                              -> emergency 999
    +44112                              -> emergency 112
    +4418000                            -> emergency 18000
    +44 (0)999                          -> emergency 999
    0044999                             -> emergency 999
    +44141999                           -> emergency 999
    141+44999                           -> emergency 999 withhold
    tel:999                             -> emergency 999
    TEL:112                             -> emergency 112
    tel:+44112                          -> emergency 112
    tel:+44-999                         -> emergency 999
    tel:999;phone-context=+44           -> emergency 999
    tel:112;phone-context=+1            -> emergency 112
    sip:999@192.0.2.1;user=phone        -> emergency 999
    SIPS:112@example.co.uk              -> emergency 112
    sip:999:secret@192.0.2.1            -> emergency 999
    999;phone-context=example.co.uk     -> emergency 999
    urn:service:sos                     -> emergency 999
    urn:service:sos.police              -> emergency 999
    URN:SERVICE:SOS.ambulance           -> emergency 999
    18002999                            -> emergency 999
    # 999 through the text relay is what 18000 is for
    18001999                            -> emergency 18000
    18001112                            -> emergency 18000
"""

NUMBERS = """
    # dialled                           -> meaning
    01632960123                         -> +441632960123 geographic UK
    +441632960123                       -> +441632960123 geographic UK
    00441632960123                      -> +441632960123 geographic UK
    sip:01632960123@192.0.2.1;user=phone -> +441632960123 geographic UK
    tel:+441632960123                   -> +441632960123 geographic UK
    tel:01632960123;phone-context=+44   -> +441632960123 geographic UK
    tel:01632960123;phone-context=example.co.uk -> +441632960123 geographic UK
    tel:+44-1632-960-123;ext=4          -> +441632960123 geographic UK
    01632-960.123                       -> +441632960123 geographic UK
    (01632) 960123                      -> +441632960123 geographic UK
    +44 (0)1632 960123                  -> +441632960123 geographic UK
    %2B441632960123                     -> +441632960123 geographic UK
    01632960123#                        -> +441632960123 geographic UK
    020 7946 0123                       -> +442079460123 geographic UK
    0115 496 0123                       -> +441154960123 geographic UK
    029 2018 0123                       -> +442920180123 geographic UK
    # parts of 41 area codes still have nine digits after the 0, and 016977 has them too
    0169772345                          -> +44169772345 geographic UK
    0120462345                          -> +44120462345 geographic UK
    03069990123                         -> +443069990123 uk_wide UK
    05601056056                         -> +445601056056 voip UK
    05512345678                         -> +445512345678 corporate UK
    07012345678                         -> +447012345678 personal UK
    07700900123                         -> +447700900123 mobile UK
    07612345678                         -> +447612345678 paging UK
    08081570123                         -> +448081570123 freephone UK
    0800123456                          -> +44800123456 freephone UK
    08001111                            -> +448001111 freephone UK
    0845464                             -> no: INCOMPLETE
    08454647                            -> +448454647 unbundled UK
    08431234567                         -> +448431234567 unbundled UK
    08712345678                         -> +448712345678 unbundled UK
    0909 8790123                        -> +449098790123 premium UK
    # the Crown dependencies share the country code and nothing else
    01534123456                         -> +441534123456 geographic Jersey
    07797123456                         -> +447797123456 mobile Jersey
    07700312345                         -> +447700312345 mobile Jersey
    01481123456                         -> +441481123456 geographic Guernsey
    07911112345                         -> +447911112345 mobile Guernsey
    07624123456                         -> +447624123456 mobile Isle of Man
    07457612345                         -> +447457612345 mobile Isle of Man
    0012025550123                       -> +12025550123 international abroad
    +353 20 912 3456                    -> +353209123456 international abroad
"""

SHORT_CODES = """
    # dialled                           -> meaning
    118500                              -> short 118500 directory
    116123                              -> short 116123 social
    +44116123                           -> short 116123 social
    101                                 -> short 101 public_service
    111                                 -> short 111 public_service
    100                                 -> short 100 operator
    17070                               -> short 17070 operator
    11850                               -> no: INCOMPLETE
    1185001                             -> no: TOO_LONG
"""

SERVICE_CODES = """
    # dialled                           -> meaning
    *21*01632960124#                    -> service *21 01632960124
    *21*01632960124                     -> service *21 01632960124
    *21*+441632960124#                  -> service *21 +441632960124
    *61*01632960124*30#                 -> service *61 01632960124 30
    *#21#                               -> service *#21
    #21#                                -> service #21
    **62*01632960124#                   -> service **62 01632960124
    **61*01632960124**20#               -> service **61 01632960124  20
    ##002#                              -> service ##002
    %2A%2321%23                         -> service *#21
    1471                                -> service 1471
    1571                                -> service 1571
    14258                               -> service 14258
    *21*999#                            -> service *21 999
    *                                   -> no: NOT_A_NUMBER
    *21**#                              -> no: NOT_A_NUMBER
    ***21#                              -> no: NOT_A_NUMBER
    *x#                                 -> no: NOT_A_NUMBER
    *21*1*2*3*4*5#                      -> no: NOT_A_NUMBER
"""

PREFIXES = """
    # dialled                           -> meaning
    141 02079460123                     -> +442079460123 geographic UK withhold
    147002079460123                     -> +442079460123 geographic UK release
    141+442079460123                    -> +442079460123 geographic UK withhold
    147014102079460123                  -> +442079460123 geographic UK withhold
    #31#02079460123                     -> +442079460123 geographic UK withhold
    1800102079460123                    -> +442079460123 geographic UK relay 18001
    1800202079460123                    -> +442079460123 geographic UK relay 18002
    1411800202079460123                 -> +442079460123 geographic UK withhold relay 18002
    1800214102079460123                 -> +442079460123 geographic UK withhold relay 18002
    141                                 -> no: INCOMPLETE
    1470                                -> no: INCOMPLETE
    18001                               -> no: INCOMPLETE
    128002079460123                     -> no: INDIRECT_ACCESS
    132902079460123                     -> no: INDIRECT_ACCESS
    141128002079460123                  -> no: INDIRECT_ACCESS withhold
"""

REFUSED = """
    # dialled                           -> meaning
    0500123456                          -> no: NOT_IN_USE
    04123456789                         -> no: NOT_IN_USE
    06123456789                         -> no: NOT_IN_USE
    08112345678                         -> no: NOT_IN_USE
    1999                                -> no: NOT_IN_USE
    0                                   -> no: INCOMPLETE
    00                                  -> no: INCOMPLETE
    +                                   -> no: INCOMPLETE
    +44                                 -> no: INCOMPLETE
    +12                                 -> no: INCOMPLETE
    016329601                           -> no: INCOMPLETE
    0113496012                          -> no: INCOMPLETE
    016329601234                        -> no: TOO_LONG
    +1234567890123456                   -> no: TOO_LONG
    +0123456789                         -> no: NOT_A_NUMBER
    ++441632960123                      -> no: NOT_A_NUMBER
    0163296012a                         -> no: NOT_A_NUMBER
    alice                               -> no: NOT_A_NUMBER
    \u0669\u0669\u0669                                 -> no: NOT_A_NUMBER
    \uff19\uff19\uff19                              -> no: NOT_A_NUMBER
    0163296012²                         -> no: NOT_A_NUMBER
    1_0                                 -> no: NOT_A_NUMBER
    960123                              -> no: NEEDS_AREA_CODE
    911                                 -> no: NEEDS_AREA_CODE
    tel:911;phone-context=+1            -> no: FOREIGN_CONTEXT
    urn:service:counseling              -> no: NOT_A_NUMBER
    urn:service:sosx                    -> no: NOT_A_NUMBER
    sip:192.0.2.1                       -> no: EMPTY
    -.()                                -> no: EMPTY
"""


@pytest.mark.parametrize(
    ("dialled", "meaning"),
    [
        row
        for table in (EMERGENCIES, NUMBERS, SHORT_CODES, SERVICE_CODES, PREFIXES, REFUSED)
        for row in rows_of(table)
    ],
)
def test_dialled_string_is_read_as_the_plan_says(dialled: str, meaning: str) -> None:
    assert summary(read_dialled(dialled, PLAN)) == meaning


def test_nothing_dialled_is_said_to_be_nothing() -> None:
    assert read_dialled("", PLAN).destination == Unrecognised(DialProblem.EMPTY)


def test_string_longer_than_the_limit_is_refused_whatever_it_holds() -> None:
    assert read_dialled("1" * (DIALLED_CHARS_MAX + 1), PLAN).destination == Unrecognised(DialProblem.TOO_LONG)
    assert read_dialled("0" + "-" * 10_000_000, PLAN).destination == Unrecognised(DialProblem.TOO_LONG)


def test_long_uri_around_an_emergency_number_does_not_hide_it() -> None:
    uri = f"sip:999@{'a' * 500}.example.co.uk;user=phone"
    assert read_dialled(uri, PLAN).destination == Emergency("999")
    assert read_dialled(f"tel:112;x={'y' * 500}", PLAN).destination == Emergency("112")


# Real shapes that end in an emergency number: a switch that saw one in them would send strangers to 999.
NOT_EMERGENCIES = """
    01632960999
    01632960112
    +441632960999
    +441312141999
    01312141999
    +441612141999
    07700900112
    02079460999
    0169772112
    1180999
    +18005550999
    0012025550112
    00999
    0999
    09990
    9990
"""


@pytest.mark.parametrize("dialled", NOT_EMERGENCIES.split())
def test_ordinary_number_that_ends_like_an_emergency_number_is_not_one(dialled: str) -> None:
    assert not isinstance(read_dialled(dialled, PLAN).destination, Emergency)


CROWN_DEPENDENCIES = frozenset({"1481", "1534", "1624"})  # their numbers are never one digit shorter
NO_AREA = "1800"  # never an area code, so +44 18002 18000 is what it says: the text relay, asked for 18000


def _area_codes() -> st.SearchStrategy[str]:
    """National significant numbers of real shape: no local number begins with 0 or 1."""
    two = st.builds("2{}{}".format, st.sampled_from("03489"), st.from_regex(r"[2-9][0-9]{7}", fullmatch=True))
    three = st.builds("1{}{}".format, st.sampled_from(["13", "14", "15", "16", "17", "18"]), _local(7))
    ones = st.builds("1{}1{}".format, st.sampled_from("234569"), _local(7))
    four = st.builds(
        "{}{}".format, st.from_regex(r"1[2-9][02-9][0-9]", fullmatch=True), st.one_of(_local(5), _local(6))
    ).filter(lambda nsn: nsn[:4] != NO_AREA and (len(nsn) == 10 or nsn[:4] not in CROWN_DEPENDENCIES))
    mobile = st.builds("7{}".format, st.from_regex(r"[1-57-9][0-9]{8}", fullmatch=True))
    return st.one_of(two, three, ones, four, mobile)


def _local(length: int) -> st.SearchStrategy[str]:
    return st.builds(
        "{}{}".format,
        st.sampled_from("23456789"),
        st.one_of(
            st.text("0123456789", min_size=length - 1, max_size=length - 1),
            st.sampled_from(sorted(EMERGENCY_NUMBERS)).map(
                lambda end: end.rjust(length - 1, "1")[-(length - 1) :]
            ),
        ),
    )


@given(_area_codes(), st.sampled_from(["0", "+44", "0044", "+44(0)"]))
@example("1312141999", "+44")
def test_no_number_of_a_real_shape_is_taken_for_an_emergency(nsn: str, written_before: str) -> None:
    destination = read_dialled(written_before + nsn, PLAN).destination
    assert isinstance(destination, E164)
    assert destination.number == "+44" + nsn


@given(
    st.sampled_from(sorted(EMERGENCY_NUMBERS)),
    st.lists(st.sampled_from(["141", "1470", "#31#", "*31#", "18002"]), max_size=6),
    st.sampled_from(["", "+44", "0044"]),
    st.sampled_from(["{}", "tel:{}", "sip:{}@192.0.2.1", "sip:{}@192.0.2.1;user=phone"]),
    st.sampled_from(["", "-", " ", "."]),
)
def test_emergency_is_recognised_under_any_prefixes(
    number: str, prefixes: list[str], country: str, form: str, separator: str
) -> None:
    digits = "".join(prefixes) + country + number
    spaced = separator.join(digits) if separator else digits
    assert read_dialled(form.format(spaced), PLAN).destination == Emergency(number)


def test_no_setting_takes_an_emergency_number_away() -> None:
    hostile = NumberPlan(
        area_code="1632",
        extra_short_codes=frozenset({"999", "112", "18000"}),
        ranges=uk_ranges({"1": NumberClass.NOT_IN_USE, "9": NumberClass.PREMIUM}),
        extra_emergency_numbers={"999": "112"},
    )
    for number in EMERGENCY_NUMBERS:
        assert read_dialled(number, hostile).destination == Emergency(number)
        assert read_dialled("141" + number, hostile).destination == Emergency(number)


def test_added_emergency_number_calls_the_service_it_stands_for() -> None:
    plan = NumberPlan(area_code="1632", extra_emergency_numbers={"911": "999", "9999": "999"})
    for dialled in ("911", "9999", "141911", "1470 911", "tel:911", "911#"):
        assert read_dialled(dialled, plan).destination == Emergency("999")
    # Behind +44 it could be part of somebody's number.
    assert not isinstance(read_dialled("+44911", plan).destination, Emergency)


@given(st.text(max_size=200))
def test_any_text_has_an_answer(text: str) -> None:
    assert isinstance(read_dialled(text, PLAN), Dialled)
    for number_format in NumberFormat:
        read_trunk_number(text, number_format, PLAN)


@given(st.text(alphabet="0123456789+*#-.() ;:%=@atelsipurnoc", max_size=60))
def test_whatever_is_read_as_a_number_is_e164(text: str) -> None:
    destination = read_dialled(text, PLAN).destination
    if isinstance(destination, E164):
        assert destination.number[0] == "+"
        assert destination.number[1:].isdecimal()
        assert 8 <= len(destination.number) <= 16
        assert set(destination.number[1:]) <= set(string.digits)


def test_local_numbers_get_the_exchange_s_area_code() -> None:
    plan = NumberPlan(area_code="1632")
    assert read_dialled("960123", plan).destination == E164("+441632960123", NumberClass.GEOGRAPHIC, "UK")
    assert read_dialled("141 960123", plan).privacy is PrivacyChoice.WITHHOLD
    assert read_dialled("999", plan).destination == Emergency("999")
    assert read_dialled("118500", plan).destination == Short("118500", NumberClass.DIRECTORY)
    assert read_dialled("96", plan).destination == Unrecognised(DialProblem.INCOMPLETE)
    assert read_dialled("96012345", plan).destination == Unrecognised(DialProblem.TOO_LONG)


def test_short_codes_can_be_added() -> None:
    plan = NumberPlan(extra_short_codes=frozenset({"150"}))
    assert read_dialled("150", plan).destination == Short("150", NumberClass.OPERATOR)
    assert read_dialled("150", PLAN).destination == Unrecognised(DialProblem.NOT_IN_USE)


def test_range_can_be_changed_without_changing_its_shape() -> None:
    plan = NumberPlan(ranges=uk_ranges({"842": NumberClass.NOT_IN_USE, "61": NumberClass.GEOGRAPHIC}))
    assert read_dialled("08421234567", plan).destination == Unrecognised(DialProblem.NOT_IN_USE)
    assert read_dialled("08431234567", plan).destination == E164("+448431234567", NumberClass.UNBUNDLED, "UK")
    assert read_dialled("06112345678", plan).destination == E164(
        "+446112345678", NumberClass.GEOGRAPHIC, "UK"
    )


TRUNK_NUMBERS = """
    # format            as written                  -> number
    e164_plus           +441632960123               -> +441632960123
    e164_plus           441632960123                -> +441632960123
    e164_plus           44163296012345              -> none
    e164_plus           12025550123                 -> none
    e164_plus           +01632960123                -> +441632960123
    e164_plus           +00441632960123             -> +441632960123
    e164_plus           +0123                       -> none
    e164_plus           00441632960123              -> +441632960123
    e164_plus           01632960123                 -> +441632960123
    e164                441632960123                -> +441632960123
    e164                +441632960123               -> +441632960123
    e164                12025550123                 -> +12025550123
    e164                01632960123                 -> +441632960123
    national            01632960123                 -> +441632960123
    national            1632960123                  -> +441632960123
    national            0012025550123               -> +12025550123
    national            118500                      -> none
    national            960123                      -> none
    international_00    00441632960123              -> +441632960123
    international_00    0012025550123               -> +12025550123
    international_00    441632960123                -> +441632960123
    e164_plus           +44(0)1632-960123           -> +441632960123
    e164_plus           +441632960123;npdi          -> +441632960123
    e164_plus           tel:+44-1632-960123         -> +441632960123
    e164_plus           sip:+441632960123@192.0.2.1 -> +441632960123
    e164_plus           anonymous                   -> none
    e164                anonymous                   -> none
    national            999                         -> none
    e164                123456                      -> none
    e164                1234567890123456            -> none
    e164_plus           +0441632960123              -> none
    e164                \uff14\uff14\uff11\uff16\uff13\uff12\uff19\uff16\uff10\uff11\uff12\uff13    -> none
    national            \uff11\uff16\uff13\uff12\uff19\uff16\uff10\uff11\uff12\uff13        -> none
    e164                +                           -> none
"""


@pytest.mark.parametrize(("written", "number"), rows_of(TRUNK_NUMBERS))
def test_number_from_a_trunk_is_read_in_its_format(written: str, number: str) -> None:
    number_format, text = written.split(maxsplit=1)
    assert (read_trunk_number(text, NumberFormat(number_format), PLAN) or "none") == number


FORMATTED = """
    # number           format            -> as written
    +441632960123      e164_plus         -> +441632960123
    +441632960123      e164              -> 441632960123
    +441632960123      national          -> 01632960123
    +441632960123      international_00  -> 00441632960123
    +12025550123       e164_plus         -> +12025550123
    +12025550123       e164              -> 12025550123
    +12025550123       national          -> 0012025550123
    +12025550123       international_00  -> 0012025550123
    999                national          -> 999
    118500             international_00  -> 118500
"""


@pytest.mark.parametrize(("number_and_format", "written"), rows_of(FORMATTED))
def test_number_is_written_as_the_trunk_wants_it(number_and_format: str, written: str) -> None:
    number, number_format = number_and_format.split()
    assert format_number(number, NumberFormat(number_format)) == written


def test_no_number_stays_no_number_in_every_format() -> None:
    assert {format_number("", number_format) for number_format in NumberFormat} == {""}


@given(
    st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True).filter(lambda number: not number.startswith("+440"))
)
def test_what_is_written_for_a_trunk_is_read_back_the_same(number: str) -> None:
    for number_format in NumberFormat:
        assert read_trunk_number(format_number(number, number_format), number_format, PLAN) == number


CLASS_OF_TYPE = {
    "MOBILE": NumberClass.MOBILE,
    "FIXED_LINE": NumberClass.GEOGRAPHIC,
    "PERSONAL_NUMBER": NumberClass.PERSONAL,
    "VOIP": NumberClass.VOIP,
    "UAN": NumberClass.CORPORATE,
}

needs_corpora = pytest.mark.skipif(not NUMBERING.exists(), reason="no shared corpora beside the project")


class Example(msgspec.Struct):
    """One of libphonenumber's example numbers."""

    e164: str
    national: str
    rfc3966: str
    classified_as: str
    country_code: int


class Examples(msgspec.Struct):
    numbers: list[Example]


def examples() -> list[Example]:
    data = (NUMBERING / "libphonenumber_examples.json").read_bytes()
    return msgspec.json.decode(data, type=Examples).numbers


@needs_corpora
def test_british_example_numbers_are_accepted_and_classed_alike() -> None:
    british = [number for number in examples() if number.country_code == 44]
    for number in british:
        destination = read_dialled(number.e164, PLAN).destination
        assert isinstance(destination, E164), number
        assert destination.number_class is CLASS_OF_TYPE[number.classified_as], number
        assert read_dialled(number.national, PLAN).destination == destination
        assert read_dialled(number.rfc3966, PLAN).destination == destination
    assert len(british) == 13


@needs_corpora
def test_foreign_example_numbers_are_dialled_with_plus_and_with_00() -> None:
    foreign = [number for number in examples() if number.country_code != 44]
    for number in foreign:
        expected = E164(number.e164, NumberClass.INTERNATIONAL, "")
        assert read_dialled(number.e164, PLAN).destination == expected
        assert read_dialled("00" + number.e164[1:], PLAN).destination == expected
        assert read_dialled(number.rfc3966, PLAN).destination == expected
    assert len(foreign) > 300


@needs_corpora
@pytest.mark.parametrize(
    ("name", "number_class"),
    [("GB_geo_prefixes.csv", NumberClass.GEOGRAPHIC), ("GB_mobile_carrier_prefixes.csv", NumberClass.MOBILE)],
)
def test_known_area_codes_and_mobile_prefixes_are_in_use(name: str, number_class: NumberClass) -> None:
    rows = (NUMBERING / name).read_text().split("\n")[1:]
    prefixes = [row.partition(",")[0] for row in rows if row]
    classes = {prefix: read_dialled(prefix.ljust(13, "5"), PLAN).destination for prefix in prefixes}
    others = {
        prefix: found
        for prefix, found in classes.items()
        if getattr(found, "number_class", 0) != number_class
    }
    assert not others
    assert len(prefixes) > 100
