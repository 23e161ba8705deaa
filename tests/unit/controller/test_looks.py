from trainyard_controller.looks import Looks

KEY = ("lab", "churn")


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_run_that_stops_is_looked_at_ever_less_often() -> None:
    clock = Clock()
    looks = Looks(clock)
    seen = []
    for second in range(300):
        clock.now = 100.0 + second
        if looks.is_due(KEY):
            seen.append(second)
    assert seen == [5, 15, 35, 75, 135, 195, 255]
    assert looks.left(KEY) == 16


def test_a_look_that_was_planned_is_due_then() -> None:
    clock = Clock()
    looks = Looks(clock)
    clock.now += looks.left(KEY)
    assert looks.is_due(KEY)


def test_the_next_time_that_it_stops_is_a_first_one() -> None:
    clock = Clock()
    looks = Looks(clock)
    assert looks.left(KEY) == 5
    for now in (100, 105, 115):
        clock.now = now
        looks.is_due(KEY)
    looks.forget(KEY)
    assert not looks.is_due(KEY)
    assert looks.left(KEY) == 5
