"""`offhook voicemail ...`: mailboxes, by their files, so also while nothing runs.

Each change is made under the lock of the mailbox, and the running server tells it to the lamps within seconds. A PIN is
typed on stdin or made here; it is never an argument, and never shown again.
"""

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import typer

from media.wav import WavProblem, load_wav
from offhook.commands.options import DataOption, JsonOption, conf_dir, data_dir, whole_number
from offhook.commands.sound_status import fetch_figures, status_facts
from offhook.exit_codes import CommandError, ExitCode
from offhook.moments import format_duration, format_moment
from offhook.output import columns, print_facts, print_json, print_line, print_table
from offhook.supervisor.plans import PRIVATE_UMASK
from provisioning.printable import shorten
from switch.conf_files import ConfProblems
from switch.conf_voicemail import Voicemail, is_mail_address, load_voicemail_conf
from voicemail.files import StoreProblem
from voicemail.mailbox import (
    MS_PER_S,
    PIN_DIGITS_MAX,
    PIN_DIGITS_MIN,
    LockOutRule,
    Message,
    Quota,
    Settings,
    counts_of,
    pin_problem,
    quota_of,
)
from voicemail.recording_file import is_message_id
from voicemail.store import Store, is_user

# Sound for people and phones; what phones speak at their best.
GREETING_RATE: Final = 16_000
GREETING_BYTES_MAX: Final = 60_000_000
MADE_PIN_DIGITS: Final = 6
# What plays a WAV file on the machines where somebody would want to: ALSA's, PulseAudio's, FFmpeg's.
PLAYERS: Final = (("aplay", "-q"), ("paplay",), ("ffplay", "-nodisp", "-autoexit", "-loglevel", "error"))

app = typer.Typer(help="Mailboxes: messages, greetings, PINs, mail.", no_args_is_help=True)

UserArgument = Annotated[str, typer.Argument(metavar="LINE", help="The line whose mailbox it is.")]
MessageArgument = Annotated[str, typer.Argument(metavar="MESSAGE", help="Its id, as the list shows it.")]
_UP_TO_999 = whole_number(most=999)


@app.command("list")
def list_(
    user: Annotated[
        str, typer.Argument(metavar="[LINE]", help="The messages of this line; else all mailboxes.")
    ] = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List mailboxes, or the messages of one."""
    store, house = _open(data)
    with _failures_said():
        if user:
            _list_messages(store, _known(store, user), as_json=as_json)
        else:
            _list_mailboxes(store, house, as_json=as_json)


def _list_mailboxes(store: Store, house: Quota, *, as_json: bool) -> None:
    rows: list[dict[str, Any]] = []
    for user in store.users():
        settings, messages = store.settings(user), store.messages(user)
        new, old, _, _ = counts_of(messages)
        seconds = sum(message.duration_ms for message in messages) // MS_PER_S
        limit = quota_of(settings, house)
        rows.append(
            {
                "line": user,
                "new": new,
                "old": old,
                "seconds": seconds,
                "messages_max": limit.messages,
                "greeting": "own" if settings.has_own_greeting else "standard",
                "has_pin": settings.pin is not None,
                "email": settings.email,
                "is_notified": settings.is_notified,
                "locked_until_ms": settings.locked_until_ms or None,
            }
        )
    if as_json:
        print_json(rows)
        return
    heads = columns("line", ">new", ">old", ">length", "greeting", "pin", "mail to")
    shown = [
        [
            row["line"],
            str(row["new"]),
            str(row["old"]),
            format_duration(row["seconds"]),
            row["greeting"],
            "yes" if row["has_pin"] else "no",
            row["email"] if row["is_notified"] else "",
        ]
        for row in rows
    ]
    print_table(heads, shown, empty="There are no mailboxes yet: the first message makes one.")


def _list_messages(store: Store, user: str, *, as_json: bool) -> None:
    messages = store.messages(user)
    if as_json:
        print_json(messages)
        return
    heads = columns("message", "received", ">length", "state", "from", "name", "why")
    shown = [
        [
            message.id,
            format_moment(message.received_ms),
            format_duration(message.duration_ms // MS_PER_S),
            message.state.value,
            message.caller or "withheld",
            message.name,
            message.reason,
        ]
        for message in messages
    ]
    print_table(heads, shown, empty=f"{user} has no messages.")


@app.command()
def play(user: UserArgument, message: MessageArgument, data: DataOption = None) -> None:
    """Play a message on this machine. It stays as it is: new, heard or saved."""
    store, _ = _open(data)
    path = _sound_of(store, user, message)
    for player in PLAYERS:
        if shutil.which(player[0]) is not None:
            done = subprocess.run([*player, str(path)], check=False)  # noqa: S603 - a fixed list and our own path
            if done.returncode:
                raise CommandError(f"{player[0]} could not play it; take it with offhook voicemail export")
            return
    names = ", ".join(player[0] for player in PLAYERS)
    raise CommandError(f"nothing here plays sound ({names}): take it with offhook voicemail export")


@app.command()
def export(
    user: UserArgument,
    message: MessageArgument,
    file: Annotated[Path, typer.Argument(help="Where to write the WAV file, or - for standard output.")],
    data: DataOption = None,
) -> None:
    """Write a message to a WAV file."""
    store, _ = _open(data)
    with _failures_said():
        sound = _sound_of(store, user, message).read_bytes()
        _write_out(file, sound)


@app.command()
def delete(
    user: UserArgument,
    messages: Annotated[list[str], typer.Argument(metavar="MESSAGE...", help="Ids, as the list shows them.")],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete messages for good."""
    store, _ = _open(data)
    for message in messages:
        _checked_id(message)
    with _failures_said():
        count = store.delete(_known(store, user), tuple(messages))
    if not count:
        raise CommandError(f"{user} has no such message")
    if as_json:
        print_json({"deleted": count})
    else:
        print_line("1 message is deleted." if count == 1 else f"{count} messages are deleted.")


@app.command()
def greeting(
    user: UserArgument,
    file: Annotated[
        Path | None, typer.Option("--from", help="A WAV file that callers hear from now on.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--to", help="Write the owner's own greeting to this WAV file.")
    ] = None,
    is_standard: Annotated[bool, typer.Option("--standard", help="Back to the standard greeting.")] = False,
    data: DataOption = None,
) -> None:
    """Say which greeting callers hear, or change it."""
    store, _ = _open(data)
    if sum((file is not None, to is not None, is_standard)) > 1:
        raise CommandError("expected one of --from, --to and --standard", ExitCode.INVALID)
    with _failures_said():
        name = _sound_name(user)
        if file is not None:
            _take_greeting(store, name, file, _conf_of(conf_dir(data_dir(data), None)).greeting_max_s)
        elif to is not None:
            if not store.settings(name).has_own_greeting:
                raise CommandError(f"{name} has no greeting of its own")
            _write_out(to, store.greeting_file(name).read_bytes())
            return
        elif is_standard:
            store.use_standard_greeting(name)
        is_own = store.settings(name).has_own_greeting
    print_line(f"Callers of {name} hear {'its own' if is_own else 'the standard'} greeting.")


def _take_greeting(store: Store, user: str, file: Path, house_max_s: int) -> None:
    try:
        recording = load_wav(file, GREETING_RATE, bytes_max=GREETING_BYTES_MAX)
    except WavProblem as problem:
        raise CommandError(f"{file} {problem}", ExitCode.INVALID) from None
    if recording.duration_s > house_max_s:
        text = f"{file} has {recording.duration_s:.0f} s, the longest greeting has {house_max_s} s"
        raise CommandError(text, ExitCode.INVALID)
    made = store.begin_greeting(user, sample_rate=GREETING_RATE)
    try:
        made.append(recording.pcm)
    except OSError:
        made.discard()
        raise
    made.commit(samples_max=None)


@app.command()
def pin(
    user: UserArgument,
    from_stdin: Annotated[
        bool, typer.Option("--pin-stdin", help="Read it from standard input (one line).")
    ] = False,
    is_made: Annotated[bool, typer.Option("--new", help="Make one, and show it this once.")] = False,
    is_removed: Annotated[
        bool, typer.Option("--remove", help="None: the mailbox is open to its own line alone.")
    ] = False,
    is_unlocked: Annotated[
        bool, typer.Option("--unlock", help="Forget the wrong ones that were tried.")
    ] = False,
    asks_at_home: Annotated[
        bool | None,
        typer.Option("--ask-own-line/--trust-own-line", help="Whether the line itself is asked for it."),
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set the PIN of a mailbox, or say whether it has one."""
    store, _ = _open(data)
    if sum((from_stdin, is_made, is_removed)) > 1:
        raise CommandError("expected one of --pin-stdin, --new and --remove", ExitCode.INVALID)
    made = ""
    with _failures_said():
        name = _sound_name(user)
        numbers = store.settings(name).numbers
        if from_stdin:
            store.set_pin(name, _pin_from_stdin(numbers))
        elif is_made:
            made = _make_pin(numbers)
            store.set_pin(name, made)
        elif is_removed:
            _change(store, name, pin=None)
        if is_unlocked:
            _change(store, name, wrong_pins=0, locked_until_ms=0)
        if asks_at_home is not None:
            _change(store, name, asks_pin_at_home=asks_at_home)
        settings = store.settings(name)
    if as_json:
        shown = {
            "line": name,
            "has_pin": settings.pin is not None,
            "asks_own_line": settings.asks_pin_at_home,
        }
        print_json({**shown, "locked_until_ms": settings.locked_until_ms, **({"pin": made} if made else {})})
        return
    facts = [("line", name), ("pin", made or ("set" if settings.pin is not None else "none"))]
    facts.append(("own line", "is asked" if settings.asks_pin_at_home else "is trusted"))
    if settings.locked_until_ms:
        facts.append(("locked until", format_moment(settings.locked_until_ms)))
    print_facts(facts)


@app.command()
def notify(
    user: UserArgument,
    email: Annotated[str | None, typer.Option("--email", help='Where messages go; "" for nowhere.')] = None,
    is_on: Annotated[bool | None, typer.Option("--on/--off", help="Whether they do.")] = None,
    deletes: Annotated[
        bool | None,
        typer.Option("--delete-sent/--keep-sent", help="Whether a message stays once it has been sent."),
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say where messages are mailed to, or change it."""
    store, _ = _open(data)
    if email and not is_mail_address(email):
        raise CommandError(
            f"--email {shorten(email)!r}: expected an address like ann@example.co.uk", ExitCode.INVALID
        )
    changes: dict[str, Any] = {"email": email, "is_notified": is_on, "deletes_after_email": deletes}
    with _failures_said():
        name = _sound_name(user)
        changes = {key: value for key, value in changes.items() if value is not None}
        if changes:
            _change(store, name, **changes)
        settings = store.settings(name)
    if as_json:
        print_json({"line": name, **{key: getattr(settings, key) for key in _NOTIFY_KEYS}})
        return
    where = settings.email or "nowhere"
    facts = [("line", name), ("mail to", where if settings.is_notified else f"{where} (switched off)")]
    facts.append(("once sent", "deleted" if settings.deletes_after_email else "kept"))
    print_facts(facts)


_NOTIFY_KEYS: Final = ("email", "is_notified", "deletes_after_email")


@app.command()
def quota(
    user: UserArgument,
    messages: Annotated[
        int | None, typer.Option("--messages", parser=_UP_TO_999, help="Messages; 0: as the house.")
    ] = None,
    seconds: Annotated[
        int | None,
        typer.Option(
            "--seconds", parser=whole_number(most=360_000), help="Of all together; 0: as the house."
        ),
    ] = None,
    days: Annotated[
        int | None,
        typer.Option(
            "--days", parser=whole_number(most=3650), help="That a message is kept; 0: as the house."
        ),
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what a mailbox may hold, or change it."""
    store, house = _open(data)
    changes: dict[str, Any] = {"messages_max": messages, "seconds_max": seconds, "days_max": days}
    with _failures_said():
        name = _sound_name(user)
        changes = {key: value for key, value in changes.items() if value is not None}
        if changes:
            _change(store, name, **changes)
        limit = quota_of(store.settings(name), house)
    if as_json:
        print_json({"line": name, **limit._asdict()})
    else:
        facts = [("line", name), ("messages", str(limit.messages)), ("seconds", str(limit.seconds))]
        print_facts([*facts, ("days", str(limit.days))])


@app.command()
def status(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show what the server is doing now: calls by kind, conferences, limits."""
    conf = _conf_of(conf_dir(data_dir(data), None))
    figures = fetch_figures(conf.metrics)
    if as_json:
        print_json(figures)
    else:
        print_facts(list(status_facts(figures)))


# What the commands share


def _open(named: Path | None) -> tuple[Store, Quota]:
    os.umask(PRIVATE_UMASK)
    data = data_dir(named)
    conf = _conf_of(conf_dir(data, None))
    house = Quota(conf.messages_max, conf.mailbox_max_s, conf.retention_days)
    rule = LockOutRule(conf.pin_attempts, conf.lock_out_minutes)
    return Store(data.voicemail, house=house, lock_out=rule), house


def _conf_of(directory: Path) -> Voicemail:
    """The defaults where the configuration is broken: mailboxes are looked at then, too."""
    try:
        return load_voicemail_conf(directory)
    except (ConfProblems, OSError):
        return Voicemail()


@contextmanager
def _failures_said() -> Iterator[None]:
    """What the disk refuses becomes one line and an exit code."""
    try:
        yield
    except StoreProblem as problem:
        raise CommandError(str(problem)) from None
    except OSError as problem:
        where = f"{problem.filename}: " if problem.filename else ""
        raise CommandError(f"{where}{problem.strerror or problem}") from None


def _sound_name(user: str) -> str:
    if not is_user(user):
        raise CommandError(f"{shorten(user)!r} is no name of a line", ExitCode.INVALID)
    return user


def _known(store: Store, user: str) -> str:
    if not store.has(_sound_name(user)):
        raise CommandError(f"{user} has no mailbox: the first message makes one")
    return user


def _checked_id(message: str) -> str:
    if not is_message_id(message):
        text = f"{shorten(message)!r} is no id of a message; offhook voicemail list LINE shows them"
        raise CommandError(text, ExitCode.INVALID)
    return message


def _sound_of(store: Store, user: str, message: str) -> Path:
    found: Message | None = store.message(_known(store, user), _checked_id(message))
    if found is None:
        raise CommandError(f"{user} has no such message")
    return store.sound_file(user, message)


def _write_out(file: Path, sound: bytes) -> None:
    if str(file) == "-":
        sys.stdout.buffer.write(sound)
        sys.stdout.buffer.flush()
        return
    try:
        with file.open("xb") as opened:
            opened.write(sound)
    except FileExistsError:
        raise CommandError(f"{file} exists") from None


def _change(store: Store, user: str, **fields: Any) -> Settings:
    return store.change(user, lambda settings: msgspec.structs.replace(settings, **fields))


def _pin_from_stdin(numbers: tuple[str, ...]) -> str:
    typed = sys.stdin.readline(100).strip("\r\n")
    match pin_problem(typed, numbers):
        case "":
            return typed
        case "simple":
            raise CommandError("this PIN is too easy to guess", ExitCode.INVALID)
        case _:
            text = f"expected a PIN of {PIN_DIGITS_MIN} to {PIN_DIGITS_MAX} digits"
            raise CommandError(text, ExitCode.INVALID)


def _make_pin(numbers: tuple[str, ...]) -> str:
    while True:
        made = "".join(secrets.choice("0123456789") for _ in range(MADE_PIN_DIGITS))
        if not pin_problem(made, numbers):
            return made
