"""[voicemail] of offhook.toml: what the voicemail server needs, and the switch needs to know."""

import enum
from pathlib import Path
from typing import Annotated, Final

from msgspec import Meta, Struct

from provisioning import mail_address
from provisioning.numbers import parse_number
from provisioning.problems import InvalidValue
from switch.calls.uk_ranges import EMERGENCY_NUMBERS
from switch.conf_edge import MAIN_FILE, Listen
from switch.conf_files import ConfFile, ConfProblems, open_conf_file
from switch.conf_reader import read_struct
from switch.conf_values import (
    WILDCARDS,
    Address,
    Expected,
    OptionalAddress,
    OptionalHost,
    Reads,
    Secret,
    Switch,
    list_reader,
)
from switch.sip.host import is_same_family

SECTION: Final = "voicemail"
is_mail_address: Final = mail_address.is_mail_address
# 141 and 1470 go before a number, 18001 and 18002 ask for the text relay.
_TAKEN: Final = frozenset({"141", "1470", "18001", "18002"})
_DIGITS_MIN: Final = 2
_DIGITS_MAX: Final = 6
LOOPBACK: Final = {False: "127.0.0.1", True: "::1"}


class StartTls(enum.Enum):
    """Whether the connection to the mail server is encrypted."""

    NEVER = "never"
    OPTIONAL = "optional"
    REQUIRED = "required"


def read_optional_mail_address(value: object) -> str:
    if value == "" or (isinstance(value, str) and is_mail_address(value)):
        return str(value)
    raise Expected('"" or an e-mail address, like "voicemail@example.co.uk"')


def read_code(value: object) -> str:
    """ "1571" or "*98"; "" for none."""
    if value == "":
        return ""
    digits = value.removeprefix("*") if isinstance(value, str) else ""
    is_sound = digits.isascii() and digits.isdigit() and _DIGITS_MIN <= len(digits) <= _DIGITS_MAX
    if not is_sound or value in EMERGENCY_NUMBERS or value in _TAKEN or str(value)[0] == "0":
        raise Expected(
            f"{_DIGITS_MIN} to {_DIGITS_MAX} digits in quotes that begin no other number, or a star and digits,"
            ' like "1571" or "*98"'
        )
    return str(value)


def read_number(value: object) -> str:
    """E.164, from any spelling."""
    try:
        return parse_number(value if isinstance(value, str) else "")
    except InvalidValue as problem:
        raise Expected(problem.expected) from None


def read_optional_secret(value: object) -> Secret:
    if value == "":
        return Secret("")
    if not isinstance(value, str) or not value.isprintable() or len(value) > 1000:
        raise Expected("a text in quotes", "a value that is not shown")
    return Secret(value)


def read_plain_name(value: object) -> str:
    is_plain = isinstance(value, str) and value.isprintable() and len(value) <= mail_address.MAIL_ADDRESS_CHARS_MAX
    if not is_plain:
        raise Expected("a printable text in quotes")
    return str(value)


OptionalMailAddress = Annotated[str, Reads(read_optional_mail_address)]
Code = Annotated[str, Reads(read_code)]
Numbers = Annotated[tuple[str, ...], Reads(list_reader(read_number))]
OptionalSecret = Annotated[Secret, Reads(read_optional_secret)]
PlainName = Annotated[str, Reads(read_plain_name)]


class Voicemail(Struct, frozen=True):
    """[voicemail]. `sip` None: there is none. Times in seconds, days, minutes as their names say.

    `announcements_max` 0 says every refusal by its code alone.
    """

    sip: OptionalAddress = Address("127.0.0.1", 5070)
    run: Switch = True
    code: Code = "1571"
    access_numbers: Numbers = ()
    announcements_max: Annotated[int, Meta(ge=0, le=10_000)] = 50
    calls_max: Annotated[int, Meta(ge=1, le=1000)] = 100
    conferences_max: Annotated[int, Meta(ge=0, le=100)] = 10
    greeting_max_s: Annotated[int, Meta(ge=5, le=300)] = 60
    message_max_s: Annotated[int, Meta(ge=10, le=600)] = 180
    message_min_s: Annotated[int, Meta(ge=1, le=10)] = 2
    silence_end_s: Annotated[int, Meta(ge=0, le=60)] = 10
    messages_max: Annotated[int, Meta(ge=1, le=999)] = 50
    mailbox_max_s: Annotated[int, Meta(ge=60, le=360_000)] = 3600
    retention_days: Annotated[int, Meta(ge=1, le=3650)] = 30
    pin_attempts: Annotated[int, Meta(ge=1, le=20)] = 5
    lock_out_minutes: Annotated[int, Meta(ge=1, le=1440)] = 30
    smtp_host: OptionalHost = ""
    smtp_port: Annotated[int, Meta(ge=1, le=65_535)] = 25
    smtp_starttls: StartTls = StartTls.OPTIONAL
    smtp_user: PlainName = ""
    smtp_password: OptionalSecret = Secret("")
    smtp_from: OptionalMailAddress = ""
    metrics: OptionalAddress = Address("127.0.0.1", 9465)

    @property
    def service_numbers(self) -> frozenset[str]:
        """The code where it has no star: nothing else would tell it from a number."""
        return frozenset({self.code}) if self.code.isdigit() else frozenset()

    @property
    def sends_mail(self) -> bool:
        return bool(self.smtp_host and self.smtp_from)


NO_VOICEMAIL: Final = Voicemail(sip=None)


def load_voicemail_conf(folder: Path) -> Voicemail:
    """The section and nothing else. Raises ConfProblems."""
    main = open_conf_file(folder, MAIN_FILE)
    conf = read_voicemail_conf(main)
    if main.problems:
        raise ConfProblems(main.in_order())
    return conf


def read_voicemail_conf(main: ConfFile) -> Voicemail:
    """The section with its problems noted in the file."""
    conf = read_struct(main, Voicemail, main.table.get(SECTION, {}), (SECTION,))
    if conf.sip is not None and conf.sip.host in WILDCARDS:
        expected = 'one address of this machine that only the switch reaches, like "127.0.0.1:5070"'
        main.note((SECTION, "sip"), found=str(conf.sip), expected=expected)
    if conf.smtp_host and not conf.smtp_from:
        main.note((SECTION, "smtp_from"), found="none", expected="the address that mails come from")
    if conf.smtp_user and not conf.smtp_password:
        main.note((SECTION, "smtp_password"), found="none", expected="the password of smtp_user")
    if conf.smtp_password and conf.smtp_starttls is not StartTls.REQUIRED:
        found, expected = conf.smtp_starttls.value, '"required": a password is not sent in clear'
        main.note((SECTION, "smtp_starttls"), found=found, expected=expected)
    return conf


def check_voicemail_address(main: ConfFile, voicemail: Voicemail, listen: Listen) -> None:
    """What two sections say together: ports of its own, and a UDP listener of the switch to be called from."""
    sip = voicemail.sip
    if sip is None:
        return
    if sip in listen.udp or any(each.host in WILDCARDS and each.port == sip.port for each in listen.udp):
        main.note((SECTION, "sip"), found=str(sip), expected="another port than listen.udp")
    if not switch_addresses(voicemail, listen):
        main.warn(
            (SECTION, "sip"),
            found=f"{sip}, which no address of listen.udp can call",
            expected='one of its family, or "" for no voicemail',
        )
    if voicemail.metrics is not None and voicemail.metrics == listen.metrics:
        main.note(
            (SECTION, "metrics"), found=str(voicemail.metrics), expected="another port than listen.metrics"
        )


def switch_addresses(voicemail: Voicemail, listen: Listen) -> list[Address]:
    """Where requests of the switch come from, as voicemail sees them, and where it is told what waits; best first.

    What listens everywhere sends from the address that it is asked by: on this machine the one that is called.
    """
    sip = voicemail.sip
    if sip is None:
        return []
    alike = [address for address in listen.udp if is_same_family(address.host, sip.host)]
    found = [
        Address(sip.host if address.host in WILDCARDS else address.host, address.port) for address in alike
    ]
    return sorted(found, key=lambda address: address.host != sip.host)
