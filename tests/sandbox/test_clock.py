import time

from scrm.sandbox.clock import VirtualClock


def test_runs_with_real_time() -> None:
    clock = VirtualClock()

    assert abs(clock.now() - time.time()) < 0.5


def test_runs_what_falls_due_in_order_and_at_its_time() -> None:
    clock = VirtualClock(start=1000)
    ran: list[tuple[str, int]] = []
    clock.schedule(1200, lambda: ran.append(("late", int(clock.now()))))
    clock.schedule(1100, lambda: ran.append(("early", int(clock.now()))))
    clock.schedule(1301, lambda: ran.append(("later", int(clock.now()))))

    clock.advance(300)

    assert ran == [("early", 1100), ("late", 1200)]
    assert 1300 <= clock.now() < 1301


def test_runs_jobs_that_jobs_schedule_on_the_way() -> None:
    clock = VirtualClock(start=1000)
    ran: list[int] = []

    def again() -> None:
        ran.append(int(clock.now()))
        clock.schedule(clock.now() + 100, again)

    clock.schedule(1100, again)
    clock.advance(350)

    assert ran == [1100, 1200, 1300]


def test_never_runs_backwards_because_a_job_took_long() -> None:
    clock = VirtualClock(start=1000)
    seen: list[float] = []

    def dawdle() -> None:
        time.sleep(0.1)
        seen.append(clock.now())

    clock.schedule(1010, dawdle)

    assert clock.advance(10.01) >= seen[0] >= 1010.1


def test_can_be_set_back() -> None:
    clock = VirtualClock(start=1000)

    assert 500 <= clock.set(500) < 501


def test_runs_due_jobs_when_real_time_passes() -> None:
    clock = VirtualClock(start=1000)
    ran: list[bool] = []
    clock.schedule(999, lambda: ran.append(True))
    clock.schedule(2000, lambda: ran.append(False))

    clock.run_due()

    assert ran == [True]
