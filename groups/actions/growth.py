"""How chats grow: by day, from the moves of their members. Messages nobody tells us."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db import connection
from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import TruncDate

from groups.models import GroupChat, JoinCode, MemberMove
from scrm.tenancy.models import Corp

MOST_DAYS = 366
WEEK_DAYS = 7
_JOINED, _LEFT = MemberMove.Kind.JOINED, MemberMove.Kind.LEFT


@dataclass(frozen=True)
class Day:
    """One day of a chat; None where nobody counted."""

    day: date
    members: int | None
    joined: int | None
    left: int | None


@dataclass(frozen=True)
class Growth:
    """Days until today; before `known_since` nobody counted who had left."""

    total: int
    known_since: date
    days: Sequence[Day]

    @property
    def today(self) -> Day:
        return self.days[-1]


@dataclass(frozen=True)
class Board:
    """Many chats in a few figures."""

    chats: int
    members: int
    joined_today: int
    left_today: int
    joined_week: int
    left_week: int


@dataclass(frozen=True)
class CodeFigures:
    """People who came by a code, and how many of them are still in the chat they entered."""

    joined: int = 0
    present: int = 0

    @property
    def left(self) -> int:
        return self.joined - self.present


def growth_of(chat: GroupChat, *, days: int, now: datetime) -> Growth:
    """The last `days` days of a chat, in the corp's time zone."""
    zone = chat.corp.zone
    today = now.astimezone(zone).date()
    since = chat.corp.created_at
    known_since = (max(since, chat.opened_at) if chat.opened_at else since).astimezone(zone).date()
    first = today - timedelta(days=days - 1)
    moves = MemberMove.objects.filter(chat=chat, at__gte=_midnight(first, chat.corp))
    counted = _count_by(moves.annotate(day=TruncDate("at", tzinfo=zone)), "day")
    # Backwards from the members of today: what was before the first day need not be summed.
    members, told = chat.member_count, []
    for back in range(days):
        day = today - timedelta(days=back)
        joined, left = counted.get(day, (0, 0))
        is_known = day >= known_since
        told.append(Day(day, members, joined, left) if is_known else Day(day, None, None, None))
        members -= joined - left
    return Growth(chat.member_count, known_since, told[::-1])


def board_of(chats: QuerySet[GroupChat], *, today: datetime, week: datetime) -> Board:
    """Figures of the chats that exist; `today` and `week` are the midnights they begin with."""
    chosen = chats.exclude(status=GroupChat.Status.DISMISSED).order_by()
    sums = chosen.aggregate(chats=Count("pk"), members=Sum("member_count"))
    # Who was in a chat that has been dismissed since has left as well.
    moves = MemberMove.objects.filter(chat__in=chats.order_by().values("pk"), at__gte=week)
    counts = moves.aggregate(
        joined_today=Count("pk", filter=Q(kind=_JOINED, at__gte=today)),
        left_today=Count("pk", filter=Q(kind=_LEFT, at__gte=today)),
        joined_week=Count("pk", filter=Q(kind=_JOINED)),
        left_week=Count("pk", filter=Q(kind=_LEFT)),
    )
    return Board(chats=sums["chats"], members=sums["members"] or 0, **counts)


def moves_since(chats: Sequence[GroupChat], *, since: datetime) -> dict[int, tuple[int, int]]:
    """Who entered and who left each of some chats: one query for a page of them."""
    return _count_by(MemberMove.objects.filter(chat__in=chats, at__gte=since), "chat")


def group_figures(
    corp: Corp, *, since: datetime | None = None, until: datetime | None = None
) -> dict[str, int]:
    """The chats that exist, who is in them, and the moves of a span, for comparing with the
    platform's own."""
    chats = GroupChat.objects.for_corp(corp).existing()
    moves = MemberMove.objects.for_corp(corp)
    if since:
        moves = moves.filter(at__gte=since)
    if until:
        moves = moves.filter(at__lt=until)
    sums = chats.aggregate(chats=Count("pk"), members=Sum("member_count"))
    counts: dict[str, int] = moves.aggregate(**_both())
    return {"chats": sums["chats"], "members": sums["members"] or 0, **counts}


def figures_of_codes(codes: Sequence[JoinCode]) -> dict[int, CodeFigures]:
    """What came of some codes; each person counts once for each chat she entered."""
    by_state = {(code.corp_id, code.state): code.pk for code in codes}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT v.corp_id, v.state, count(DISTINCT (v.chat_id, v.member_id)),
                count(DISTINCT (v.chat_id, v.member_id)) FILTER (WHERE m.id IS NOT NULL)
            FROM groups_membermove v
            LEFT JOIN groups_membership m
                ON m.chat_id = v.chat_id AND m.member_id = v.member_id AND m.left_at IS NULL
            WHERE v.corp_id = ANY(%s) AND v.state = ANY(%s) AND v.state <> '' AND v.kind = 'joined'
            GROUP BY v.corp_id, v.state
            """,
            [list({code.corp_id for code in codes}), [code.state for code in codes]],
        )
        found = {(corp, state): CodeFigures(*counts) for corp, state, *counts in cursor}
    return {pk: found.get(key, CodeFigures()) for key, pk in by_state.items()}


def days_of_code(code: JoinCode, *, days: int, now: datetime) -> list[tuple[date, int]]:
    """How many people entered through a code on each of the last days."""
    zone = code.corp.zone
    today = now.astimezone(zone).date()
    first = today - timedelta(days=days - 1)
    moves = MemberMove.objects.for_corp(code.corp).filter(state=code.state, kind=_JOINED)
    recent = moves.exclude(state="").filter(at__gte=_midnight(first, code.corp)).order_by()
    rows = recent.annotate(day=TruncDate("at", tzinfo=zone)).values_list("day")
    counted: dict[date, int] = dict(rows.annotate(count=Count("pk")))
    return [(day, counted.get(day, 0)) for day in (first + timedelta(days=n) for n in range(days))]


def _count_by(moves: QuerySet[MemberMove], field: str) -> dict[Any, tuple[int, int]]:
    """Who entered and who left, for each value of a field."""
    rows: QuerySet[Any, Any] = moves.order_by().values(field).annotate(**_both())
    return {row[field]: (row["joined"], row["left"]) for row in rows}


def _both() -> dict[str, Any]:
    return {
        "joined": Count("pk", filter=Q(kind=_JOINED)),
        "left": Count("pk", filter=Q(kind=_LEFT)),
    }


def _midnight(day: date, corp: Corp) -> datetime:
    return datetime.combine(day, time.min, tzinfo=corp.zone)
