"""A line that is tried from many sources is told once, and never locked."""

from switch.door.line_watch import SOURCES_ALARMING, WINDOW_S, LineWatch


def test_the_operator_is_told_once_an_hour() -> None:
    watch = LineWatch()
    told = [watch.failed("alice", f"198.51.100.{n}", 0.0) for n in range(50)]
    assert told.index(True) == SOURCES_ALARMING - 1
    assert sum(told) == 1
    assert not watch.failed("alice", "203.0.113.1", WINDOW_S - 1)
    assert sum(watch.failed("alice", f"198.51.100.{n}", WINDOW_S + 1) for n in range(50)) == 1


def test_one_source_alone_is_no_alarm() -> None:
    watch = LineWatch()
    assert not any(watch.failed("alice", "198.51.100.1", float(n)) for n in range(1000))


def test_names_are_bounded_and_forgotten() -> None:
    watch = LineWatch(users_max=10)
    for n in range(100):
        watch.failed(f"name{n}", "198.51.100.1", 0.0)
    assert len(watch) == 10
    watch.sweep(WINDOW_S)
    assert len(watch) == 0
