"""What a `Progress` is called with if things are counted."""

from lpcodec.codec.progress import clock, counted


def test_things_that_are_counted() -> None:
    assert counted(120, 1440, "avif on a", 450) == ("120 of 1,440, 0:07:30 left, avif on a", 1 / 12)
    assert counted(0, 10, "starting") == ("0 of 10, starting", 0)
    assert counted(0, 0, "nothing") == ("0 of 0, nothing", 0)


def test_seconds_as_on_a_clock() -> None:
    assert [clock(seconds) for seconds in (-1, 59.6, 3725)] == ["0:00:00", "0:01:00", "1:02:05"]
