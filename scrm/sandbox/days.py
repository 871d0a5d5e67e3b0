"""Calendar days as the platform cuts them: at midnight in China, which knows no summer time."""

DAY = 24 * 3600
AHEAD_OF_UTC = 8 * 3600


def day_of(at: float) -> int:
    """Return the moment at which the day of a moment began."""
    return (int(at) + AHEAD_OF_UTC) // DAY * DAY - AHEAD_OF_UTC


def days_between(first: int, last: int) -> list[int]:
    """Return the beginnings of all days from one to another, both included."""
    return list(range(first, last + 1, DAY))
