"""How a chat grew, as a picture without a script."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from groups.actions.growth import Growth

WIDTH, HEIGHT = 600, 90


@dataclass(frozen=True)
class Bar:
    """One day: what is known of it, and how high it stands in percent of the highest."""

    day: date
    members: int | None
    joined: int | None
    left: int | None
    up: int
    down: int


@dataclass(frozen=True)
class Chart:
    bars: list[Bar]
    line: str  # points of a polyline in WIDTH × HEIGHT
    highest: int
    lowest: int
    up_share: int
    down_share: int
    joined: int
    left: int
    is_partial: bool


def chart_of(growth: Growth) -> Chart:
    days = growth.days
    most_up = max((day.joined or 0 for day in days), default=0)
    most_down = max((day.left or 0 for day in days), default=0)
    bars = [
        Bar(
            day.day,
            day.members,
            day.joined,
            day.left,
            _percent(day.joined, most_up),
            _percent(day.left, most_down),
        )
        for day in days
    ]
    known = [day.members for day in days if day.members is not None]
    highest, lowest = max(known, default=0), min(known, default=0)
    return Chart(
        bars=bars,
        line=_line(days, lowest=lowest, highest=highest),
        highest=highest,
        lowest=lowest,
        up_share=max(most_up, 1),
        down_share=max(most_down, 1),
        joined=sum(day.joined or 0 for day in days),
        left=sum(day.left or 0 for day in days),
        is_partial=len(known) < len(days),
    )


def _percent(part: int | None, whole: int) -> int:
    return round(100 * part / whole) if part and whole else 0


def _line(days: Any, *, lowest: int, highest: int) -> str:
    span = highest - lowest
    step = WIDTH / max(len(days), 1)
    points: list[tuple[float, float]] = []
    for number, day in enumerate(days):
        if day.members is not None:
            height = (day.members - lowest) / span if span else 0.5
            points.append(((number + 0.5) * step, HEIGHT - 6 - height * (HEIGHT - 12)))
    if len(points) == 1:
        # One point draws nothing: the first day is as wide as a day.
        [(x, y)] = points
        points = [(x - step / 2, y), (x + step / 2, y)]
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
