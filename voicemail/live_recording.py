"""A recording while it is made: samples from the recorder to the file once a second, and what ends it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import structlog

from voicemail.actions import Record, RecordingEnd
from voicemail.jobs import Jobs
from voicemail.mailbox import Message
from voicemail.recorder import Recorder
from voicemail.recording_file import RecordingFile

# What a crash may cost of a message that is being spoken, and few enough writes for a slow disk.
FLUSH_S: Final = 1.0
# A disk that has taken nothing for so long will not take the rest: the caller is told while still there.
STALL_MAX_S: Final = 15.0
# Kept of the silence that ended a message, so that it does not break off.
SILENCE_KEPT_S: Final = 0.5

log = structlog.get_logger("voicemail")


class LiveRecording:
    """Until `keep` or `discard`. `ended` is told once: seconds, why."""

    __slots__ = (
        "_begun_at",
        "_clock",
        "_ended",
        "_file",
        "_flushed_at",
        "_has_failed",
        "_is_writing",
        "_jobs",
        "_recorder",
        "_rule",
        "_samples_max",
        "is_running",
    )

    def __init__(
        self,
        recorder: Recorder,
        begin: Callable[[], object],
        *,
        jobs: Jobs,
        rule: Record,
        ended: Callable[[float, RecordingEnd, float], None],
        clock: Callable[[], float],
        now: float,
    ) -> None:
        """`begin` makes the file, in a thread."""
        self._recorder = recorder
        self._jobs = jobs
        self._rule = rule
        self._ended = ended
        self._clock = clock
        self._begun_at = self._flushed_at = now
        self._file: RecordingFile | None = None
        self._has_failed = False
        self._is_writing = True
        self._samples_max: int | None = None
        self.is_running = True
        jobs.submit(begin, self._begun)

    @property
    def seconds(self) -> float:
        return self._recorder.seconds

    def samples(self) -> bytes:
        """What was recorded; in a thread, after it has ended."""
        return b"" if self._file is None else self._file.samples()

    def tick(self, now: float) -> None:
        if not self.is_running:
            return
        rule, recorder = self._rule, self._recorder
        if recorder.seconds >= rule.seconds_max or now - self._begun_at >= rule.seconds_max:
            self.stop(RecordingEnd.LIMIT, now)
        elif rule.silence_s and recorder.silent_for_s(now) >= rule.silence_s:
            self.stop(RecordingEnd.SILENCE, now)
        elif self._is_writing:
            if now - self._flushed_at > STALL_MAX_S:
                log.error("voicemail_disk_stalled", waited_s=STALL_MAX_S)
                self._fail(now)
        elif now - self._flushed_at >= FLUSH_S:
            self._flush(now)

    def stop(self, why: RecordingEnd, now: float) -> None:
        """What was said counts for who hung up or fell silent; what was recorded for who ended it on purpose."""
        if not self.is_running:
            return
        self.is_running = False
        recorder = self._recorder
        recorder.finish(now)
        rate = recorder.sample_rate
        samples = min(recorder.samples, self._rule.seconds_max * rate)
        if why in (RecordingEnd.SILENCE, RecordingEnd.HANG_UP):
            samples = min(samples, recorder.spoken_samples + int(SILENCE_KEPT_S * rate))
            seconds = min(recorder.spoken_samples, samples) / rate
        else:
            seconds = samples / rate
        self._samples_max = samples
        self._write(now)
        self._ended(seconds, RecordingEnd.FAILED if self._has_failed else why, now)

    def keep(self, before: Callable[[Message], None], kept: Callable[[bool], None]) -> None:
        """Behind what is still being written. `kept(True)`: on the disk."""
        self.is_running = False

        def commit() -> bool:
            if self._file is None:
                return False
            if self._has_failed:
                self._file.discard()
                return False
            self._file.commit(samples_max=self._samples_max, before=before)
            return True

        def done(result: bool | None) -> None:
            kept(result is True)

        self._jobs.submit(commit, done)

    def discard(self) -> None:
        self.is_running = False

        def remove() -> None:
            if self._file is not None:
                self._file.discard()

        self._jobs.submit(remove, lambda _: None)

    def _begun(self, result: object) -> None:
        self._is_writing = False
        if isinstance(result, RecordingFile):
            self._file = result
        else:
            self._fail(self._clock())

    def _flush(self, now: float) -> None:
        self._flushed_at = now
        self._write(now)

    def _write(self, now: float) -> None:
        samples = self._recorder.take()
        if not samples:
            return

        def append() -> bool:
            if self._file is None:
                return False
            self._file.append(samples)
            return True

        def written(result: bool | None) -> None:
            self._is_writing = False
            if result is not True:
                self._fail(self._clock())

        self._is_writing = True
        self._jobs.submit(append, written)

    def _fail(self, now: float) -> None:
        """The disk did not take it."""
        was_running, self.is_running = self.is_running, False
        self._has_failed = True
        if was_running:
            self._ended(self._recorder.seconds, RecordingEnd.FAILED, now)
