"""What the command's exit status says, so that scripts can tell a no from a breakdown."""

import enum


class ExitCode(enum.IntEnum):
    OK = 0
    REFUSED = 1  # the exchange or its rules said no
    INVALID = 2  # the command line or a configuration file is wrong
    UNREACHABLE = 3  # the exchange or its database does not answer


class CommandError(Exception):
    """Ends the command with one line on stderr.

    Raised anywhere below a command, caught once in `__main__`.
    """

    def __init__(self, text: str, code: ExitCode = ExitCode.REFUSED) -> None:
        super().__init__(text)
        self.code = code
