"""`offhook call refused`: INVITEs that never became a call, from the switch's memory; one of them with its ladder."""

import asyncio
from typing import Annotated

import asyncpg
import typer

from care.looks import note_look, system_user
from care.refused import RefusedInvite, SwitchRefused, refused_invite, story_of_refused
from care.switch_asking import SwitchSilentError
from offhook.commands.options import DataOption, DsnOption, JsonOption, data_dir
from offhook.commands.staff_options import StaffOption, WhyOption
from offhook.database import find_dsn, run_on_books
from offhook.exit_codes import CommandError, ExitCode
from offhook.moments import format_moment, local_now
from offhook.output import columns, print_json, print_line, print_table
from provisioning.printable import shorten
from traces.call_trace import CallTrace


def refused(
    sip_call_id: Annotated[
        str, typer.Argument(metavar="[SIP-CALL-ID]", help="One of them, with all its messages.")
    ] = "",
    *,
    source: Annotated[str, typer.Option("--source", metavar="ADDRESS", help="Only from this address.")] = "",
    staff: StaffOption = "",
    why: WhyOption = "",
    data: DataOption = None,
    dsn: DsnOption = "",
    as_json: JsonOption = False,
) -> None:
    """Show INVITEs that were refused before there was a call: strangers, unanswered challenges, wrong passwords."""
    place, who = data_dir(data), staff or system_user()
    try:
        traces = asyncio.run(SwitchRefused(place.control_socket).refused(sip_call_id))
    except SwitchSilentError as silent:
        raise CommandError(str(silent), ExitCode.UNREACHABLE) from None

    async def note(db: asyncpg.Pool) -> None:
        text = f"{why}: {shorten(sip_call_id)}" if why else shorten(sip_call_id)
        await note_look(db, staff=who, what="refused", why=text)

    run_on_books(find_dsn(place, given=dsn), note)
    invites = [invite for trace in traces if (invite := refused_invite(trace)) is not None]
    found = [invite for invite in invites if not source or _host(invite) == source.strip("[]")]
    if sip_call_id and not found:
        raise CommandError(f"no refused INVITE {shorten(sip_call_id)!r} is in the switch's memory")
    if as_json:
        print_json(found)
        return
    _print(found)
    if sip_call_id:
        _print_ladder(traces[0])


def _host(invite: RefusedInvite) -> str:
    return invite.source.rpartition(":")[0].strip("[]")


def _print(found: list[RefusedInvite]) -> None:
    heads = columns(
        f"at ({local_now().tzname()})", "from", "caller", "called", "came to", ">tries", "phone", "SIP Call-ID"
    )  # fmt: skip
    rows = [
        [
            format_moment(invite.at_ms),
            f"{invite.source} {invite.transport}",
            invite.caller,
            invite.called,
            invite.words,
            str(invite.tries),
            invite.user_agent,
            invite.sip_call_id,
        ]
        for invite in found
    ]
    print_table(heads, rows, empty="No refused INVITE is in the switch's memory.")


def _print_ladder(trace: CallTrace) -> None:
    from care.ladder import ladder_of  # noqa: PLC0415 - the list needs none of it
    from offhook.ladder_output import print_ladder  # noqa: PLC0415

    print_line("")
    print_ladder(ladder_of(story_of_refused(trace)))
