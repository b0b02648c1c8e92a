"""The embedded PostgreSQL's three configuration files, as text.

They are written anew at every start. An operator's own settings go to `operator.conf` beside them, which is
read last. What keeps strangers out (no TCP, the socket's place, who may log in) is given on the server's
command line or in files that are overwritten, so that no setting can undo it.
"""

# Enough for the books process, the commands and a person with psql; each connection costs the server memory.
CONNECTIONS_MAX = 40

SUPERUSER_ROLE = "postgres"
ROLE = "offhook"
DATABASE = "offhook"
USER_MAP = "offhook"

OPERATOR_FILE = "operator.conf"
OPERATOR_FILE_START = "# Your own settings for the embedded PostgreSQL; offhook never changes this file.\n"

SERVER_SETTINGS = f"""\
# Written by offhook at every start; put your own settings into {OPERATOR_FILE} in this directory.
max_connections = {CONNECTIONS_MAX}
shared_buffers = 64MB
fsync = on
full_page_writes = on
synchronous_commit = on
# One machine and few readers: three idle I/O workers would only cost.
io_method = sync
# Analytic compilation costs more than it gives on the exchange's short statements.
jit = off
timezone = 'UTC'
log_timezone = 'UTC'
log_destination = 'stderr'
logging_collector = off
log_line_prefix = ''
log_checkpoints = off
log_min_messages = warning
include_if_exists = '{OPERATOR_FILE}'
"""

# Peer: the kernel says which user of this machine is asking. No password exists that could leak.
HOST_BASED_ACCESS = f"""\
# Written by offhook at every start.
local all all peer map={USER_MAP}
"""


def identity_map(system_user: str) -> str:
    """Who of this machine may be whom in the database: the user that runs the exchange, and nobody else."""
    quoted = '"' + system_user.replace('"', '""') + '"'
    return (
        "# Written by offhook at every start.\n"
        f"{USER_MAP} {quoted} {SUPERUSER_ROLE}\n"
        f"{USER_MAP} {quoted} {ROLE}\n"
    )
