"""One call: its machine, its SIP, its sound and its files, joined.

The machine says what is to happen, this makes it happen and tells the machine what became of it. Everything runs in the
event loop but the work on files, which goes to threads one piece after the other (`Jobs`). What concerns a mailbox is
in mailbox_side.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from media.codecs import FRAMES_PER_SECOND
from voicemail.actions import (
    Action,
    Actions,
    Answer,
    EndWithin,
    HangUp,
    Hush,
    Join,
    PlayMusic,
    Progress,
    Record,
    RecordingEnd,
    Refer,
    Refuse,
    Say,
    StopRecording,
    Wait,
)
from voicemail.announcement import Announcement
from voicemail.conferring import Conferring
from voicemail.deposit import Deposit
from voicemail.digit_menu import DigitMenu
from voicemail.jobs import Jobs
from voicemail.mailbox_side import MailboxSide
from voicemail.menu import Menu
from voicemail.player import Piece, Round, Silence
from voicemail.queueing import Queueing
from voicemail.rtp_port import RtpPort
from voicemail.sdp_answer import Agreed
from voicemail.sip_call import SipCall
from voicemail.speaking import Speaking
from voicemail.stream import Stream

if TYPE_CHECKING:
    from voicemail.conference import Conference, Party
    from voicemail.house import House
    from voicemail.mailbox import Message

# The longest retrieval: a phone that was not hung up.
CALL_MAX_S: Final = 3600.0
# The switch ends these; this is for calls that it has forgotten: a day's conference, a night in a queue or parked.
SERVICE_MAX_S: Final = 12 * 3600.0

Machine = Announcement | Deposit | Menu | Speaking | DigitMenu | Queueing | Conferring


class SessionOwner(Protocol):
    """The process."""

    def session_over(self, session: Session) -> None:
        """Nothing of it is left to be done."""

    def session_broken(self, session: Session) -> None:
        """A bug in it; called within the exception."""


class Session:
    """Implements CallOwner. `tick` comes every 20 ms."""

    __slots__ = (
        "_after_said",
        "_conference",
        "_end_at",
        "_held",
        "_house",
        "_is_gone",
        "_is_leaving",
        "_is_over",
        "_jobs",
        "_loading",
        "_machine",
        "_mailbox",
        "_music",
        "_owner",
        "_party",
        "_rtp",
        "_say_number",
        "_saying",
        "_stream",
        "_wait_until",
        "call",
        "kind",
    )

    def __init__(
        self,
        machine: Machine,
        *,
        kind: str,
        house: House,
        rtp: RtpPort,
        owner: SessionOwner,
        draft: Message | None,
        now: float,
    ) -> None:
        """`draft` is what is known of the message that a deposit leaves; `kind` is a metric's label."""
        self.call: SipCall
        self.kind = kind
        self._machine = machine
        self._house = house
        self._rtp = rtp
        self._owner = owner
        is_service = isinstance(machine, Queueing | Conferring)
        self._end_at = now + (SERVICE_MAX_S if is_service else CALL_MAX_S)
        self._jobs = Jobs(house.loop, house.executor, on_idle=self._end_if_done, on_bug=self._break)
        self._mailbox: MailboxSide | None = None
        if isinstance(machine, Deposit | Menu):
            self._mailbox = MailboxSide(
                machine, kind=kind, house=house, jobs=self._jobs, draft=draft, perform=self._perform
            )
        self._stream: Stream | None = None
        self._conference: Conference | None = None
        self._party: Party | None = None
        self._music: Round | None = None
        self._after_said: Record | None = None
        self._held: Join | None = None  # until the caller has said where he hears
        self._saying: Say | PlayMusic | None = None  # what is being loaded or played
        self._loading = False
        self._say_number = 0  # of the latest Say: what was loaded for an earlier one is not played
        self._wait_until: float | None = None
        self._is_leaving = False  # the switch goes on with the call: nothing more is sent
        self._is_gone = False
        self._is_over = False

    @property
    def is_recording(self) -> bool:
        return self._mailbox is not None and self._mailbox.is_recording

    def start(self, now: float) -> None:
        self._perform(self._machine.start(), now)

    # The caller (CallOwner)

    def media_agreed(self, agreed: Agreed, now: float) -> None:
        """A change of codec in the middle of a recording ends it; what was being said begins anew in the new one."""
        self._rtp.aim(agreed.host, agreed.port)
        stream = self._stream
        if stream is not None and stream.is_for(agreed):
            return
        house = self._house
        changed = Stream(
            agreed,
            random=house.random_bytes,
            on_digit=self._digit,
            counts=house.rtp_counts,
            now=now,
        )
        self._stream = changed
        if self._mailbox is not None and self._mailbox.is_recording:
            self._mailbox.stop_recording(RecordingEnd.LIMIT, now)
        if self._party is not None:
            self._party.change_codec(agreed.codec)
            changed.confer(self._party)
        for action in (self._saying, self._held):
            if action is not None:
                self._act(action, now)

    def _break(self) -> None:
        self._owner.session_broken(self)

    def digit_by_info(self, digit: str, now: float) -> None:
        self._digit(digit, now)

    def positioned(self, position: int, now: float) -> None:
        if not self._is_gone and isinstance(self._machine, Queueing):
            self._perform(self._machine.positioned(position), now)

    def referred(self, is_accepted: bool, now: float) -> None:
        self._house.counts.handed_over("accepted" if is_accepted else "refused")
        if not self._is_gone and isinstance(self._machine, Speaking | DigitMenu):
            self._perform(self._machine.referred(is_accepted), now)

    def left_alone(self, now: float) -> None:
        """Nobody else is in the conference any more."""
        if not self._is_gone and isinstance(self._machine, Conferring):
            self._perform(self._machine.left_alone(), now)

    def caller_gone(self, now: float) -> None:
        if self._is_gone:
            return
        self._is_gone = True
        self._after_said = None
        self._leave_conference()
        self._perform(self._machine.hung_up(), now)
        self._end_if_done()

    # The clock and the wire

    def receive(self, data: bytes) -> None:
        """One datagram."""
        if self._stream is None or self._is_gone:
            return
        try:
            self._stream.receive(data, self._house.now())
        except Exception:  # noqa: BLE001 - the border: the call is ended there
            self._break()

    def tick(self, now: float) -> None:
        """Every 20 ms: one packet out, and whatever has become due."""
        if self._is_gone:
            return
        stream = self._stream
        if stream is not None and self.call.may_send and not self._is_leaving:
            was_playing = stream.player.is_playing
            self._rtp.send(stream.next_packet())
            if was_playing and not stream.player.is_playing:
                self._said(now)
        if self._mailbox is not None:
            self._mailbox.tick(now)
        if self._wait_until is not None and now >= self._wait_until:
            self._wait_until = None
            self._perform(self._machine.timed_out(), now)
        if now > self._end_at:
            self.end(now)

    def abandon(self, now: float) -> None:
        """A bug: the caller is not left hanging, and what was recorded is left to the recovery of the next start."""
        self._is_gone = self._is_over = True
        self._leave_conference()
        self._rtp.close()
        self.call.hang_up(now)

    def end(self, now: float) -> None:
        """The house closes: what was said so far is kept."""
        if not self._is_gone:
            self.call.hang_up(now)
            self.caller_gone(now)

    # Events for the machine

    def _digit(self, digit: str, now: float) -> None:
        self._wait_until = None
        self._perform(self._machine.digit(digit), now)

    def _said(self, now: float) -> None:
        self._saying = None
        record, self._after_said = self._after_said, None
        if record is None:
            self._perform(self._machine.said(), now)
        elif self._mailbox is not None and self._stream is not None and not self._is_gone:
            self._mailbox.record(record, self._stream, now)

    # What the machine asks for

    def _perform(self, actions: Actions, now: float) -> None:
        for action in actions:
            if self._is_over:
                return
            self._act(action, now)

    def _act(self, action: Action, now: float) -> None:  # noqa: PLR0912 - one line for each action
        match action:
            case Progress():
                if not self._is_gone and not self.call.progress(now):
                    self._say_number = -1  # nobody can hear: what is said is over at once
            case Answer():
                if not self._is_gone:
                    self.call.answer(now)
            case Refuse(status=status, cause=cause):
                self.call.refuse(status, cause, now)
                self._leave()
            case HangUp():
                self.call.hang_up(now)
                self._leave()
            case Say():
                self._say(action, now)
            case PlayMusic(name=name):
                self._play_music(name, now)
            case Join():
                self._join(action, now)
            case Refer(digits=digits):
                self.call.refer(digits, now)
            case EndWithin(seconds=seconds):
                self._is_leaving = True
                self._end_at = now + seconds
            case Hush():
                self._hush()
            case Wait(seconds=seconds):
                self._wait_until = now + seconds
            case Record():
                self._after_said = action
                if not self._is_saying:
                    self._said(now)
            case StopRecording(why=why):
                self._after_said = None
                if self._mailbox is not None:
                    self._mailbox.stop_recording(why, now)
            case _:
                assert self._mailbox is not None, action
                self._mailbox.act(action)

    # Saying

    @property
    def _is_saying(self) -> bool:
        return self._loading or (self._stream is not None and self._stream.player.is_playing)

    def _say(self, say: Say, now: float) -> None:
        """Prompts play at once; messages are read from the disk first."""
        self._hush()
        clips, stream, house, mailbox = say.clips, self._stream, self._house, self._mailbox
        if self._is_gone:
            return
        self._saying = say
        if stream is None or self._say_number < 0:
            if not self.call.awaits_description:  # early media for a caller who offered none
                house.loop.call_soon(self._said, now)
            return
        codec = stream.codec
        pieces = house.clips.at_once(clips, codec)
        if pieces is not None:
            self._play(pieces, self._next_number())
            return
        user, draft = ("", bytes) if mailbox is None else (mailbox.user, mailbox.samples)
        self._load(lambda: house.clips.load(clips, codec=codec, user=user, draft=draft), self._play)

    def _play_music(self, name: str, now: float) -> None:
        """Behind what is being said it would never end: a machine asks for it when all is said."""
        self._hush()
        stream, clips = self._stream, self._house.clips
        if self._is_gone:
            return
        self._saying = PlayMusic(name)
        if stream is None:
            return
        codec, before = stream.codec, self._music
        if before is not None and before.is_of(name, codec):
            stream.play((before,))
            return

        def play(frames: Sequence[bytes] | None, number: int) -> None:
            if frames:
                self._music = Round(name, codec, frames)
                self._play((self._music,), number)

        frames = clips.music_at_once(name, codec)
        if frames is not None:
            play(frames, self._next_number())
        else:
            self._load(lambda: clips.music(name, codec), play)

    def _next_number(self) -> int:
        self._say_number += 1
        return self._say_number

    def _load(
        self, work: Callable[[], Sequence[Piece] | Sequence[bytes]], then: Callable[..., None]
    ) -> None:
        """In a thread; what comes after something else was asked for is not played."""
        number = self._next_number()
        self._loading = True

        def loaded(found: Sequence[Piece] | Sequence[bytes] | None) -> None:
            self._loading = self._loading and number != self._say_number
            then(found or (), number)

        self._jobs.submit(work, loaded)

    def _play(self, pieces: Sequence[Piece], number: int) -> None:
        if self._is_gone or number != self._say_number or self._stream is None:
            return
        self._wait_until = None
        self._stream.play(pieces or (Silence(FRAMES_PER_SECOND),))

    def _hush(self) -> None:
        if self._say_number >= 0:
            self._say_number += 1
        self._loading = False
        self._saying = None
        self._wait_until = None
        if self._stream is not None:
            self._stream.player.stop()

    # Conferences

    def _join(self, join: Join, now: float) -> None:
        stream = self._stream
        if self._is_gone:
            return
        if stream is None:
            self._held = join
            return
        self._held = None
        conferences = self._house.conferences
        if conferences.refusal(join.conference):  # others came while this one's description was awaited
            self.end(now)
            return
        conference = conferences.of(join.conference, now)
        self._conference = conference
        self._party = conference.join(stream.codec, self.left_alone, now)
        stream.confer(self._party)

    def _leave_conference(self) -> None:
        conference, party = self._conference, self._party
        self._conference = self._party = None
        if conference is not None and party is not None:
            conference.leave(party, self._house.now())

    # The end

    def _leave(self) -> None:
        """We ended the call."""
        self._is_gone = True
        self._leave_conference()
        self._end_if_done()

    def _end_if_done(self) -> None:
        if self._is_gone and not self._is_over and self._jobs.is_idle:
            self._is_over = True
            self._rtp.close()
            if self._mailbox is not None:
                self._mailbox.discard()
            self._owner.session_over(self)
