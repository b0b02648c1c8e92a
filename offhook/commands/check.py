"""`offhook check`: is the configuration valid as a whole, and is anything unwise in it or in the books."""

from pathlib import Path

import asyncpg
import msgspec

from offhook.commands.billing_findings import billing_problems, sends_mail
from offhook.commands.fault_desk_findings import fault_desk_problems
from offhook.commands.options import (
    ConfOption,
    DataOption,
    DsnOption,
    JsonOption,
    conf_dir,
    data_dir,
    problem_text,
)
from offhook.commands.plan_findings import UnknownTimeSet, unknown_time_sets
from offhook.commands.portal_findings import portal_problems
from offhook.commands.prompt_findings import hold_music_findings, prompt_findings
from offhook.commands.tls_findings import tls_findings
from offhook.database import find_dsn, run_on_books
from offhook.exit_codes import CommandError, ExitCode
from offhook.output import print_error, print_json, print_line
from offhook.paths import DataDir
from offhook.supervisor.conf_home import MAIN_FILE, packaged_conf
from provisioning import service
from provisioning.model import Line
from provisioning.registration_search import lines_wanting_mail
from provisioning.views import LineView, PlanView
from switch.address_conflicts import AddressConflict, address_conflicts
from switch.conf_files import ConfProblem, ConfProblems
from switch.config import Conf, load_conf

LINES_NAMED_MAX = 20


class Findings(msgspec.Struct):
    """What `--json` prints.

    `is_database_checked` False: it could not be reached, so nothing is said about lines and the quarantine.
    """

    conf: str
    problems: list[ConfProblem]
    warnings: list[ConfProblem]
    lines_without_emergency: list[str]
    records_quarantined: int
    is_database_checked: bool
    address_conflicts: list[AddressConflict]
    unknown_time_sets: list[UnknownTimeSet]
    lines_without_mail: list[str] = []  # they ask for mails (offline_mail), and nobody can send any


class Books(msgspec.Struct):
    """What the books have to say."""

    lines_without_emergency: list[LineView]
    records_quarantined: int
    lines_with_addresses: list[Line]
    plans: list[PlanView]
    lines_wanting_mail: list[str]


def check(
    data: DataOption = None, conf: ConfOption = None, dsn: DsnOption = "", as_json: JsonOption = False
) -> None:
    """Check the configuration: every problem with file, line and key. Exit code 2 when it cannot be used."""
    place = data_dir(data)
    directory = _directory(place, conf)
    loaded, problems = _load(directory)
    warnings: list[ConfProblem] = []
    if loaded is not None:
        problems, expiring = tls_findings(loaded.tls, directory)
        warnings = [*loaded.warnings, *expiring, *prompt_findings(directory)]
        warnings += hold_music_findings(directory, loaded.media.hold_music_file)
    problems = [*problems, *billing_problems(directory), *portal_problems(directory)]
    problems += fault_desk_problems(directory)
    books = _ask_books(place, dsn or (str(loaded.database.dsn) if loaded is not None else ""))
    lines = books.lines_without_emergency if books is not None else []
    findings = Findings(
        conf=str(directory),
        problems=problems,
        warnings=warnings,
        lines_without_emergency=[line.user for line in lines],
        records_quarantined=books.records_quarantined if books is not None else 0,
        is_database_checked=books is not None,
        address_conflicts=address_conflicts(books.lines_with_addresses, loaded)
        if books is not None and loaded is not None
        else [],
        unknown_time_sets=unknown_time_sets(books.plans, loaded.time_sets.names)
        if books is not None and loaded is not None
        else [],
        lines_without_mail=books.lines_wanting_mail if books is not None and not sends_mail(directory) else [],
    )
    if as_json:
        print_json(findings)
    else:
        _print(directory, findings, lines)
        _print_whose(directory, place)
    if problems:
        raise SystemExit(ExitCode.INVALID)


def _print_whose(directory: Path, place: DataDir) -> None:
    """Or somebody would edit what the next `pip install` replaces."""
    if directory == packaged_conf():
        print_line(f"It comes with the program: the first `offhook up` copies it to {place.conf}, where it is yours.")


def _directory(place: DataDir, named: Path | None) -> Path:
    """Before the first `up` there is no configuration yet; then the one it would copy is checked."""
    directory = conf_dir(place, named)
    if named is None and not (directory / MAIN_FILE).exists():
        return packaged_conf()
    if directory.exists() and not directory.is_dir():
        text = f"{directory} is no directory: --conf is where offhook.toml and the other files are"
        raise CommandError(text, ExitCode.INVALID)
    return directory


def _load(directory: Path) -> tuple[Conf | None, list[ConfProblem]]:
    try:
        return load_conf(directory), []
    except ConfProblems as found:
        return None, found.problems
    except OSError as problem:
        text = f"{directory} cannot be read: {problem.strerror or problem}"
        raise CommandError(text, ExitCode.INVALID) from None


def _ask_books(place: DataDir, dsn: str) -> Books | None:
    """None when the database is out of reach: the files can be checked without it."""

    async def work(db: asyncpg.Pool) -> Books:
        return Books(
            await service.lines_without_emergency(db),
            await service.count_quarantined(db),
            await service.lines_with_addresses(db),
            await service.list_plans(db),
            await lines_wanting_mail(db),
        )

    try:
        return run_on_books(find_dsn(place, given=dsn), work)
    except CommandError:
        return None


def _print(directory: Path, findings: Findings, lines: list[LineView]) -> None:
    for problem in findings.problems:
        print_error(problem_text(directory, problem))
    for warning in findings.warnings:
        print_error(f"warning: {problem_text(directory, warning)}")
    for line in lines[:LINES_NAMED_MAX]:
        missing = [
            name
            for name, value in (("number", line.emergency_number), ("address", line.emergency_address))
            if not value
        ]
        print_error(f"warning: line {line.user} has no emergency {' and no emergency '.join(missing)}")
    if len(lines) > LINES_NAMED_MAX:
        print_error(f"warning: and {len(lines) - LINES_NAMED_MAX} more lines like these")
    for conflict in findings.address_conflicts:
        print_error(
            f"warning: line {conflict.line} has the address {conflict.address}, which is the carrier"
            f" {conflict.carrier}'s: calls from it are the carrier's"
        )
    for unknown in findings.unknown_time_sets:
        print_error(f"warning: {unknown}: it is never that time")
    if findings.lines_without_mail:
        count, first = len(findings.lines_without_mail), findings.lines_without_mail[0]
        others = f" and {count - 1} more" if count > 1 else ""
        print_error(
            f"warning: line {first}{others} ask{'' if count > 1 else 's'} for a mail when offline (offline_mail), "
            "but there is no billing.toml with a mail server, so nobody gets one"
        )
    if findings.records_quarantined:
        count = findings.records_quarantined
        print_error(
            f"warning: {count} record{'s' if count > 1 else ''} of calls could not be taken into the books: "
            "`offhook quarantine list`"
        )
    if not findings.is_database_checked:
        print_line("The database is out of reach, so lines and the quarantine were not checked.")
    count = len(findings.problems)
    verdict = "valid" if not count else f"not valid: {count} problem{'s' if count > 1 else ''}"
    print_line(f"The configuration in {directory} is {verdict}.")
