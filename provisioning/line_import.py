"""Many lines at once, all or nothing: a file that `importer` has read, compared with the books and written to them.

One transaction. Every problem of the file and of the books is named at once, so that it is mended in one go.
"""

from collections.abc import Sequence

import asyncpg

from provisioning import rules, store
from provisioning.importer import LineRow, read_line_file
from provisioning.model import Line, Number
from provisioning.passwords import generate_password, ha1_md5, ha1_sha256
from provisioning.problems import ImportProblem, ImportProblems, Refused, shown
from provisioning.views import AddedLine


async def import_lines(db: asyncpg.Pool, csv_text: str, *, realm: str) -> list[AddedLine]:
    """All lines of a CSV file (see `importer`) or none of them (ImportProblems names every problem)."""
    rules.check_realm(realm)
    file = read_line_file(csv_text)
    try:
        async with db.acquire() as connection, connection.transaction():
            account_ids = await store.account_ids(connection, {row.account for row in file.rows})
            problems = file.problems + await _problems_with_books(connection, file.rows, account_ids)
            if problems:
                raise ImportProblems(sorted(problems, key=lambda problem: problem.line))
            added = [_line_of_row(row, account_ids[row.account.lower()], realm) for row in file.rows]
            await store.insert_lines(connection, [new.line for new in added])
            numbers = [Number(e164=number, line=row.user) for row in file.rows for number in row.numbers]
            await store.insert_numbers(connection, numbers)
            return added
    except asyncpg.UniqueViolationError:
        raise Refused(
            "somebody added one of these lines or numbers at this very moment: import again"
        ) from None


async def _problems_with_books(
    connection: asyncpg.Connection, rows: Sequence[LineRow], account_ids: dict[str, int]
) -> list[ImportProblem]:
    """What cannot be in these rows because of what the books hold already."""
    users = await store.existing_users(connection, [row.user for row in rows])
    taken = await store.lines_of_numbers(connection, [number for row in rows for number in row.numbers])
    problems = []
    for row in rows:
        if row.account.lower() not in account_ids:
            problems.append(ImportProblem(row.line, "account", row.account, "an account that exists"))
        if row.user in users:
            problems.append(ImportProblem(row.line, "user", row.user, "a line that does not exist yet"))
        problems += [
            ImportProblem(
                row.line, "numbers", number, f"a number that is free; it rings line {shown(taken[number])}"
            )
            for number in row.numbers
            if number in taken
        ]
    return problems


def _line_of_row(row: LineRow, account_id: int, realm: str) -> AddedLine:
    secret = row.password if row.password is not None else generate_password()
    line = Line(
        user=row.user,
        account_id=account_id,
        realm=realm,
        ha1_md5=ha1_md5(row.user, realm, secret),
        ha1_sha256=ha1_sha256(row.user, realm, secret),
        digest=row.digest,
        cli=row.cli,
        emergency_number=row.emergency_number,
        emergency_address=row.emergency_address,
        withholds_cli=False,
        calls_max=0,
    )
    return AddedLine(line=line, generated_password=secret if row.password is None else None)
