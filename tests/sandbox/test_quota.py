from datetime import datetime, timedelta

import pytest

from scrm.sandbox.clock import VirtualClock
from scrm.sandbox.generate import build_world
from scrm.sandbox.options import Options, QuotaMode
from scrm.sandbox.quota import CHINA, count_received, remaining_quota
from scrm.sandbox.world import World

# A Wednesday in a month of 30 days.
NOON = datetime(2026, 4, 15, 12, tzinfo=CHINA)


def world_in(mode: QuotaMode) -> World:
    clock = VirtualClock(start=NOON.timestamp())
    return build_world(
        1, staff=2, customers=1, groups=0, clock=clock, options=Options(quota_mode=mode)
    )


@pytest.mark.parametrize(
    ("mode", "allowed", "period_start"),
    [
        (QuotaMode.MONTH, 30, datetime(2026, 4, 1, tzinfo=CHINA)),
        (QuotaMode.WEEK, 7, datetime(2026, 4, 13, tzinfo=CHINA)),
        (QuotaMode.DAY, 1, datetime(2026, 4, 15, tzinfo=CHINA)),
        (QuotaMode.LEGACY, 4, datetime(2026, 4, 1, tzinfo=CHINA)),
    ],
)
def test_counts_from_the_chinese_midnight_that_began_the_period(
    mode: QuotaMode, allowed: int, period_start: datetime
) -> None:
    world = world_in(mode)
    count_received(world, "wmx", at=(period_start - timedelta(seconds=1)).timestamp(), times=99)

    assert remaining_quota(world, "wmx", at=NOON.timestamp()) == allowed
    count_received(world, "wmx", at=period_start.timestamp())
    assert remaining_quota(world, "wmx", at=NOON.timestamp()) == allowed - 1


def test_allows_as_many_as_the_month_has_days() -> None:
    world = world_in(QuotaMode.MONTH)
    february = datetime(2026, 2, 10, tzinfo=CHINA).timestamp()

    assert remaining_quota(world, "wmx", at=february) == 28


def test_never_falls_below_zero() -> None:
    world = world_in(QuotaMode.DAY)
    count_received(world, "wmx", at=NOON.timestamp(), times=5)

    assert remaining_quota(world, "wmx", at=NOON.timestamp()) == 0
