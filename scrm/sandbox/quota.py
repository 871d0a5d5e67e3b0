"""How many more mass messages a recipient takes."""

import calendar
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from scrm.sandbox.options import QuotaMode

if TYPE_CHECKING:
    from scrm.sandbox.world import World

# The platform's calendar days and months are cut at midnight in China.
CHINA = ZoneInfo("Asia/Shanghai")


def remaining_quota(world: "World", recipient: str, *, at: float) -> int:
    """Return how many more messages the customer or group can receive in the running period."""
    start, allowed = _period(world.options.quota_mode, at)
    received = sum(1 for moment in world.received_log.get(recipient, ()) if start <= moment <= at)
    return max(0, allowed - received)


def count_received(world: "World", recipient: str, *, at: float, times: int = 1) -> None:
    world.received_log.setdefault(recipient, []).extend([at] * times)


def start_of_day(at: float) -> float:
    return _midnight_before(at).timestamp()


def _midnight_before(at: float) -> datetime:
    moment = datetime.fromtimestamp(at, CHINA)
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _period(mode: QuotaMode, at: float) -> tuple[float, int]:
    today = _midnight_before(at)
    if mode == QuotaMode.DAY:
        return today.timestamp(), 1
    if mode == QuotaMode.WEEK:
        return (today - timedelta(days=today.weekday())).timestamp(), 7
    month_days = calendar.monthrange(today.year, today.month)[1]
    allowed = month_days if mode == QuotaMode.MONTH else 4
    return today.replace(day=1).timestamp(), allowed
