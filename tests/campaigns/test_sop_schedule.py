"""When steps are due: Python and SQL agree, in zones with summer time too."""

from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campaigns.actions.sops.schedule import QuietHours, due_at, due_params, due_sql
from campaigns.models import Sop, Step
from scrm.tenancy.models import Corp
from tests.factories import make_corp

ZONES = (
    "Asia/Shanghai",
    "America/New_York",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "Europe/Dublin",
)
times = st.times(timezones=st.none()).map(lambda at: at.replace(second=0, microsecond=0))
quiet_hours = st.none() | st.tuples(times, times).filter(lambda pair: pair[0] != pair[1])
# Half of the moments lie around the nights on which clocks change.
changes = st.sampled_from(
    [
        datetime(2026, 3, 8, tzinfo=UTC),
        datetime(2026, 11, 1, tzinfo=UTC),
        datetime(2027, 3, 28, tzinfo=UTC),
        datetime(2027, 10, 31, tzinfo=UTC),
        datetime(2027, 4, 4, tzinfo=UTC),
    ]
)
anywhere = st.integers(0, 60 * 365 * 24 * 60).map(
    lambda minutes: datetime(2000, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)
anchors = anywhere | st.builds(
    lambda night, minutes: night + timedelta(minutes=minutes),
    changes,
    st.integers(-2 * 24 * 60, 2 * 24 * 60),
)


def due_by_sql(sop: Sop, step: Step, anchor: datetime) -> datetime:
    sql = f"""
        SELECT due.due_at FROM (SELECT %(days)s::int, %(minutes)s::int, %(at)s::time)
            AS s (offset_days, offset_minutes, at) {due_sql("%(anchor)s::timestamptz")}"""  # noqa: S608
    given: dict[str, Any] = {
        "days": step.offset_days,
        "minutes": step.offset_minutes,
        "at": step.at,
        "anchor": anchor,
    }
    with connection.cursor() as cursor:
        cursor.execute(sql, {**due_params(sop), **given})
        moment: datetime = cursor.fetchone()[0]
    return moment


@pytest.mark.django_db
@settings(
    max_examples=400,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    zone=st.sampled_from(ZONES),
    anchor=anchors,
    days=st.integers(-2, 2) | st.integers(-300, 1000),
    minutes=st.integers(-3000, 3000),
    at=st.none() | times,
    quiet=quiet_hours,
)
def test_python_and_sql_agree(
    zone: str,
    anchor: datetime,
    days: int,
    minutes: int,
    at: time | None,
    quiet: tuple[time, time] | None,
) -> None:
    given_quiet = quiet and {"start": f"{quiet[0]:%H:%M}", "end": f"{quiet[1]:%H:%M}"}
    sop = Sop(corp=Corp(time_zone=zone), quiet_hours=given_quiet)
    step = Step(offset_days=days, offset_minutes=minutes, at=at)

    moment = due_at(anchor, step, zone=ZoneInfo(zone), quiet=QuietHours.read(given_quiet))

    assert due_by_sql(sop, step, anchor) == moment
    local = moment.astimezone(ZoneInfo(zone))
    if quiet and local.dst() == (local + timedelta(hours=3)).dst():
        inside = QuietHours(*quiet).end_after(local)
        assert inside is None or abs(inside[0] - local.date()) <= timedelta(days=1)


def due(anchor: str, *, zone: str = "Asia/Shanghai", quiet: str = "", **step: object) -> str:
    start, _dash, end = quiet.partition("-")
    hours = QuietHours.read({"start": start, "end": end} if quiet else None)
    moment = due_at(datetime.fromisoformat(anchor), Step(**step), zone=ZoneInfo(zone), quiet=hours)
    return moment.astimezone(ZoneInfo(zone)).isoformat(timespec="minutes")


def test_the_local_date_of_the_anchor_counts() -> None:
    # Late in the evening in London, and the next morning in Shanghai.
    assert due("2026-11-18T20:30+00:00", offset_days=1, at=time(9)) == "2026-11-20T09:00+08:00"


def test_without_a_time_days_have_24_hours() -> None:
    assert (
        due("2026-03-07T12:00-05:00", zone="America/New_York", offset_days=1, offset_minutes=30)
        == "2026-03-08T13:30-04:00"
    )


def test_with_a_time_the_change_of_clocks_is_followed() -> None:
    assert (
        due("2026-03-07T12:00-05:00", zone="America/New_York", offset_days=1, at=time(9))
        == "2026-03-08T09:00-04:00"
    )
    # 02:30 does not exist that night.
    assert (
        due("2026-03-07T12:00-05:00", zone="America/New_York", offset_days=1, at=time(2, 30))
        == "2026-03-08T03:30-04:00"
    )


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (time(20, 59), "2026-11-18T20:59+08:00"),
        (time(21), "2026-11-19T09:00+08:00"),
        (time(3), "2026-11-18T09:00+08:00"),
        (time(9), "2026-11-18T09:00+08:00"),
    ],
)
def test_quiet_hours_cross_midnight(at: time, expected: str) -> None:
    assert due("2026-11-18T00:00+08:00", quiet="21:00-09:00", at=at) == expected


def test_a_corp_has_its_own_zone(db: None) -> None:
    corp = make_corp(time_zone="America/New_York")
    sop = Sop(corp=corp, quiet_hours=None)
    anchor = datetime(2026, 11, 18, 2, tzinfo=UTC)

    moment = due_by_sql(sop, Step(offset_days=0, at=time(9)), anchor)

    assert moment == datetime(2026, 11, 17, 14, tzinfo=UTC)
