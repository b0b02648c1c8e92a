"""An announcement costs nobody anything: 183, the words, the status that was asked for."""

from voicemail.actions import Progress, Refuse, Say, prompt
from voicemail.announcement import Announcement


def test_the_words_are_early_media_and_the_status_follows_once() -> None:
    announcement = Announcement((prompt("number-not-recognised"),), status=404, cause=1)
    first, second = announcement.start()
    assert first == Progress()
    assert isinstance(second, Say)
    assert [clip.name for clip in second.clips].count("number-not-recognised") == 2
    assert announcement.said() == [Refuse(404, 1)]
    assert announcement.said() == []


def test_who_has_hung_up_is_not_refused_again() -> None:
    announcement = Announcement((prompt("barred"),), status=403, cause=57)
    announcement.start()
    assert announcement.hung_up() == []
    assert announcement.said() == []
