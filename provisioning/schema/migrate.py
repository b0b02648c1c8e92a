"""Brings a database's schema up to date: the .sql files beside this one, in order, kept by yoyo-migrations.

One migration and the mark that it was applied are one transaction, and one advisory lock lets a single
process migrate: killed at any moment, the next run goes on where this one stopped. (yoyo's own loop marks a
migration after its commit, and its lock row outlives a killed process.) It leaves out going back: a mistake
is mended by another migration.
"""

from pathlib import Path

import psycopg
import yoyo
from yoyo.backends.base import DatabaseBackend
from yoyo.backends.core.postgresql import PostgresqlPsycopgBackend
from yoyo.connections import parse_uri
from yoyo.migrations import default_migration_table

SCHEMA_DIR = Path(__file__).parent
LOCK_KEY = 7164200002  # any constant: it only has to be the same everywhere
LOCK_TIMEOUT_S = (
    60  # another process's migration of a full database takes long, but somebody waits for this one
)
CONNECT_TIMEOUT_S = 10


class SchemaTooNewError(Exception):
    """The database was migrated by a newer release than this one."""


def migrate(dsn: str) -> list[str]:
    """Apply what is missing; the names of what was applied. Raises SchemaTooNewError and psycopg.Error."""
    with psycopg.connect(dsn, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S) as guard:
        guard.execute(f"SET lock_timeout = '{LOCK_TIMEOUT_S}s'")
        guard.execute("SELECT pg_advisory_lock(%s)", (LOCK_KEY,))
        backend = PostgresqlPsycopgBackend(parse_uri(dsn), default_migration_table)
        try:
            _make_lock_table(backend)
            return _apply_missing(backend)
        finally:
            backend.connection.close()


def known_migrations() -> list[str]:
    """The names of the migrations of this release, in order."""
    return [migration.id for migration in _read()]


def _make_lock_table(backend: DatabaseBackend) -> None:
    """In place of yoyo's `init_database`, which makes the table by trying, and finds out by failing that a
    transaction takes back a CREATE TABLE: at each start PostgreSQL would log errors that nobody made."""
    statement = backend.format_sql(backend.create_lock_table_sql)
    backend.execute(statement.replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS", 1))


def _apply_missing(backend: DatabaseBackend) -> list[str]:
    backend.break_lock()  # we hold the advisory lock, so a row here is from a process that was killed
    migrations = _read()
    backend.ensure_internal_schema_updated()
    _refuse_newer(backend, {migration.hash for migration in migrations})
    applied = []
    for migration in backend.to_apply(migrations):
        with backend.transaction():
            migration.process_steps(backend, "apply")
            backend.mark_one(migration, log=False)
        applied.append(migration.id)
    return applied


def _refuse_newer(backend: DatabaseBackend, known: set[str]) -> None:
    unknown = [applied for applied in backend.get_applied_migration_hashes() if applied not in known]
    if unknown:
        raise SchemaTooNewError(
            f"the database has {len(unknown)} schema change(s) that this release does not know: "
            "it was used by a newer release, so run that one or a still newer one"
        )


def _read() -> yoyo.migrations.MigrationList:
    return yoyo.read_migrations(str(SCHEMA_DIR)).filter(lambda migration: migration.is_raw_sql())
