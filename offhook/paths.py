"""Where everything of one exchange is: the data directory, and what lies in it.

    DATA/conf/            the configuration, when no --conf is given (copied there on the first `offhook up`)
    DATA/postgres/        the embedded PostgreSQL's files
    DATA/run/             what exists only while the exchange runs: the lock, the DSN, the sockets of the parts
    DATA/prompts/         prompts of accounts: <account id>/<name>.wav (voicemail/account_prompts.py)
    DATA/traces/          the SIP messages of calls, a file a day (traces/store.py)
    DATA/voicemail/       mailboxes: settings, greetings and messages (voicemail/store.py)
    DATA/control.sock     the switch's control socket

The commands find a running exchange by these names and nothing else. It leaves out the switch's own files
(journal, checkpoint): the switch names those.
"""

import os
import tempfile
from pathlib import Path

# sun_path holds 108 bytes with the closing zero (unix(7)).
UNIX_SOCKET_PATH_BYTES_MAX = 107
POSTGRES_SOCKET_NAME = ".s.PGSQL.5432"

OWNER_ONLY = 0o700
SECRET_FILE_MODE = 0o600


def default_data_dir() -> Path:
    """/var/lib/offhook for root; the user's own data home otherwise, as the XDG base directories have it."""
    if os.geteuid() == 0:
        return Path("/var/lib/offhook")
    data_home = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(data_home) / "offhook"


class DataDir:
    """The names inside one data directory. Makes nothing by itself."""

    __slots__ = ("root",)

    def __init__(self, root: Path) -> None:
        self.root = root.expanduser().absolute()

    @property
    def conf(self) -> Path:
        return self.root / "conf"

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def lock_file(self) -> Path:
        return self.run / "offhook.lock"

    @property
    def dsn_file(self) -> Path:
        return self.run / "dsn"

    @property
    def conf_file(self) -> Path:
        """Names the configuration directory in force, so that the commands need no --conf."""
        return self.run / "conf"

    @property
    def edge_socket(self) -> Path:
        return self.run / "edge.sock"

    @property
    def relay_socket(self) -> Path:
        return self.run / "relay.sock"

    @property
    def browser_socket(self) -> Path:
        return self.run / "browser.sock"

    @property
    def traces_socket(self) -> Path:
        return self.run / "traces.sock"

    @property
    def traces(self) -> Path:
        """Traces of calls, which the commands read, also while nothing runs."""
        return self.root / "traces"

    @property
    def voicemail(self) -> Path:
        """Mailboxes, which the commands read and change, also while nothing runs."""
        return self.root / "voicemail"

    @property
    def prompts(self) -> Path:
        """Prompts of accounts, which the commands read and change, also while nothing runs."""
        return self.root / "prompts"

    @property
    def control_socket(self) -> Path:
        return self.root / "control.sock"

    @property
    def checkpoint(self) -> Path:
        """The switch's copy of the books; where it exists, a start does not have to wait for PostgreSQL."""
        return self.root / "journal" / "checkpoint"

    def make(self) -> None:
        """Creates the directory and its `run`, readable by the owner only. Leaves what exists as it is."""
        self.root.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
        self.run.mkdir(mode=OWNER_ONLY, exist_ok=True)

    def conf_in_force(self) -> Path:
        """The directory that the running (or last) exchange was started with."""
        try:
            named = self.conf_file.read_text(encoding="utf-8", errors="surrogateescape").strip("\n")
        except OSError:
            return self.conf
        return Path(named) if named else self.conf


def write_secret(path: Path, text: str) -> None:
    """Replaces a file in one step; nobody but the owner can read it at any moment."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, SECRET_FILE_MODE)
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)
    temporary.replace(path)


def make_postgres_socket_dir(data: DataDir) -> Path:
    """A directory for PostgreSQL's socket, its path short enough to bind: DATA/run/pg, or one under /tmp."""
    inside = data.run / "pg"
    if len(os.fsencode(inside / POSTGRES_SOCKET_NAME)) <= UNIX_SOCKET_PATH_BYTES_MAX:
        inside.mkdir(mode=OWNER_ONLY, exist_ok=True)
        return inside
    return Path(tempfile.mkdtemp(prefix="offhook-", dir="/tmp"))  # 0700, under a random name
