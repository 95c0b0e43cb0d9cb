"""What fails is tried less and less often, and the others as often as ever."""

from procure.kit.backoff import PAUSE_MAX_S, Backoff
from procure.kit.ids import new_id

BAD, GOOD = new_id(), new_id()


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_a_pause_doubles_from_a_second_to_a_quarter_of_a_minute() -> None:
    backoff = Backoff(Clock())
    assert [backoff.failed(BAD) for _ in range(6)] == [1, 2, 4, 8, 15, 15]


def test_only_what_failed_is_left_alone_and_only_as_long() -> None:
    clock = Clock()
    backoff = Backoff(clock)
    assert backoff.ready([BAD, GOOD]) == [BAD, GOOD]
    for pause_s in (1, 2, 4):
        backoff.failed(BAD)
        clock.now_s += pause_s - 0.001
        assert backoff.ready([BAD, GOOD]) == [GOOD]
        clock.now_s += 0.001
        assert backoff.ready([BAD, GOOD]) == [BAD, GOOD]


def test_a_success_begins_again_with_a_second() -> None:
    backoff = Backoff(Clock())
    for _ in range(5):
        backoff.failed(BAD)
    backoff.succeeded(BAD)
    assert backoff.ready([BAD]) == [BAD]
    assert backoff.failed(BAD) == 1


def test_what_is_no_subject_any_more_is_forgotten() -> None:
    backoff = Backoff(Clock())
    for _ in range(5):
        backoff.failed(BAD)
    assert backoff.ready([GOOD]) == [GOOD]
    assert backoff.ready([BAD, GOOD]) == [BAD, GOOD]
    assert backoff.failed(BAD) == 1


def test_three_hundred_rounds_of_a_second_meet_a_bad_one_two_dozen_times() -> None:
    clock = Clock()
    backoff, tries = Backoff(clock), 0
    for _ in range(300):
        for one in backoff.ready([BAD]):
            tries += 1
            assert backoff.failed(one) <= PAUSE_MAX_S
        clock.now_s += 1
    assert tries == 23
