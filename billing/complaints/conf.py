"""conf/complaints.toml: the scheme, the time limits, how long records are kept. Without the file: what stands here."""

import datetime
import re
from functools import partial
from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta, Struct

from billing.arrears.open_days import is_working_day
from billing.conf_arrears import Region
from billing.conf_fields import AddressLines, Text
from billing.dated import read_dated
from provisioning.complaints import ComplaintTerms, LetterLimit
from switch.conf_files import ConfFile, ConfProblems, open_optional_file
from switch.conf_reader import note_unknown_tables, read_struct
from switch.conf_values import Expected, Reads

FILE: Final = "complaints.toml"
TABLES: Final = ("scheme", "letter", "acknowledgement", "records")
_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


def read_time(value: object) -> datetime.time:
    """A time of the day, in London."""
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise Expected('a time in quotes, like "09:00"')
    return datetime.time(int(match[1]), int(match[2]))


Time = Annotated[datetime.time, Reads(read_time)]


class Scheme(Struct, frozen=True):
    """[scheme]: who decides disputes. All of it empty: the operator has not said yet."""

    name: Text = ""
    website: Text = ""
    telephone: Text = ""
    post: AddressLines = ()

    @property
    def is_whole(self) -> bool:
        """Whether a customer can find it."""
        return bool(self.name and self.website and (self.telephone or any(self.post)))


class Limit(Struct, frozen=True):
    """[[letter]]."""

    weeks: Annotated[int, Meta(ge=1, le=52)] = 6


class Acknowledgement(Struct, frozen=True):
    """[acknowledgement]: hours are working hours."""

    hours: Annotated[int, Meta(ge=1, le=240)] = 24
    opens: Time = datetime.time(9)
    closes: Time = datetime.time(17, 30)
    region: Region = Region.ENGLAND


class Records(Struct, frozen=True):
    """[records]: not less than the twelve months in which a customer may go to the scheme."""

    keep_months: Annotated[int, Meta(ge=12, le=240)] = 24


SHIPPED_LIMITS: Final = (
    LetterLimit(datetime.date(2000, 1, 1), 8),
    LetterLimit(datetime.date(2026, 4, 8), 6),
)


class ComplaintsConf(Struct, frozen=True):
    """The file as a whole; `limits` in their order."""

    scheme: Scheme = Scheme()
    limits: tuple[LetterLimit, ...] = SHIPPED_LIMITS
    acknowledgement: Acknowledgement = Acknowledgement()
    records: Records = Records()

    @property
    def terms(self) -> ComplaintTerms:
        return ComplaintTerms(
            limits=self.limits,
            acknowledge_h=self.acknowledgement.hours,
            opens=self.acknowledgement.opens,
            closes=self.acknowledgement.closes,
            is_working_day=partial(is_working_day, region=self.acknowledgement.region),
        )


def load_complaints(folder: Path) -> ComplaintsConf:
    """Raises ConfProblems with everything that is wrong in the file."""
    file = open_optional_file(folder, FILE)
    conf = read_complaints(file)
    if file.problems:
        raise ConfProblems(file.in_order())
    return conf


def read_complaints(file: ConfFile) -> ComplaintsConf:
    """Problems are noted in the file."""
    note_unknown_tables(file, TABLES)
    conf = ComplaintsConf(
        scheme=read_struct(file, Scheme, file.table.get("scheme", {}), ("scheme",)),
        limits=_limits(file),
        acknowledgement=read_struct(
            file, Acknowledgement, file.table.get("acknowledgement", {}), ("acknowledgement",)
        ),
        records=read_struct(file, Records, file.table.get("records", {}), ("records",)),
    )
    if conf.acknowledgement.opens >= conf.acknowledgement.closes:
        found = f"{conf.acknowledgement.opens:%H:%M} to {conf.acknowledgement.closes:%H:%M}"
        file.note(("acknowledgement", "closes"), found=found, expected="a time after that of opens")
    if conf.scheme != Scheme() and not conf.scheme.is_whole:
        expected = "name, website, and a telephone or a postal address; or all of them empty"
        file.note(("scheme",), found="a part of a scheme", expected=expected)
    return conf


def _limits(file: ConfFile) -> tuple[LetterLimit, ...]:
    if "letter" not in file.table:
        return SHIPPED_LIMITS
    dated = read_dated(file, Limit, ("letter",))
    return tuple(LetterLimit(since, limit.weeks) for since, limit in dated.entries) or SHIPPED_LIMITS
