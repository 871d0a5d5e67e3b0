"""What the page of the outbox shows above its list: queues, budgets, pauses."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from scrm.channels.kinds import endpoints_of
from scrm.channels.limits import published_limit
from scrm.channels.models import ApiUsage, EndpointPause, Operation

Status = Operation.Status

_MOST_BUDGETS = 40


@dataclass
class Queue:
    """One corp's operations of one kind that are not over."""

    corp: str
    kind: str
    title: str
    endpoints: tuple[str, ...]
    waiting: int = 0
    # Of those waiting: tried already, with an error.
    failing: int = 0
    under_way: int = 0
    unknown: int = 0
    parked: int = 0


@dataclass(frozen=True)
class Budget:
    """How much of an endpoint's calls a corp has used."""

    corp: str
    endpoint: str
    today: int
    this_minute: int
    limit: int

    @property
    def percent(self) -> int:
        return min(100, round(100 * self.this_minute / self.limit))


@dataclass(frozen=True)
class Pause:
    corp: str
    title: str
    until: datetime
    errcode: int | None
    error: str


@dataclass(frozen=True)
class Board:
    queues: list[Queue] = field(default_factory=list)
    budgets: list[Budget] = field(default_factory=list)
    pauses: list[Pause] = field(default_factory=list)
    has_many_corps: bool = False


def board_of(corps: Mapping[int, str], *, titles: Mapping[str, object], now: datetime) -> Board:
    """The board of these corps (their names by id); a handful of queries however much waits."""
    return Board(
        queues=_queues(corps, titles),
        budgets=_budgets(corps, now),
        pauses=_pauses(corps, titles, now),
        has_many_corps=len(corps) > 1,
    )


def _queues(corps: Mapping[int, str], titles: Mapping[str, object]) -> list[Queue]:
    found: dict[tuple[int, str], Queue] = {}
    mine = Operation.objects.filter(corp_id__in=corps).order_by()
    waiting = mine.filter(status=Status.PENDING)
    failing = Count("pk", filter=~Q(error=""))
    for row in _by_kind(waiting).annotate(count=Count("pk"), failing=failing):
        queue = _queue_of(found, corps, titles, row)
        queue.waiting, queue.failing = row["count"], row["failing"]
    others = mine.filter(status__in=[Status.IN_FLIGHT, Status.UNKNOWN, Status.PARKED])
    for row in _by_kind(others, "status").annotate(count=Count("pk")):
        queue = _queue_of(found, corps, titles, row)
        match row["status"]:
            case Status.IN_FLIGHT:
                queue.under_way = row["count"]
            case Status.UNKNOWN:
                queue.unknown = row["count"]
            case _:
                queue.parked = row["count"]
    return sorted(found.values(), key=lambda queue: (queue.corp, -queue.parked, queue.title))


def _by_kind(rows: QuerySet[Operation], *more: str) -> QuerySet[Operation, dict[str, Any]]:
    found: QuerySet[Operation, dict[str, Any]] = rows.values("corp_id", "kind", *more)
    return found


def _queue_of(
    found: dict[tuple[int, str], Queue],
    corps: Mapping[int, str],
    titles: Mapping[str, object],
    row: Mapping[str, Any],
) -> Queue:
    corp_pk, kind = row["corp_id"], row["kind"]
    title = str(titles.get(kind, kind))
    fresh = Queue(corps[corp_pk], kind, title, endpoints_of(kind))
    return found.setdefault((corp_pk, kind), fresh)


def _budgets(corps: Mapping[int, str], now: datetime) -> list[Budget]:
    today = ApiUsage.objects.filter(corp_id__in=corps, day=timezone.localdate(now))
    minute = now.replace(second=0, microsecond=0)
    return [
        Budget(
            corp=corps[usage.corp_id],
            endpoint=usage.endpoint,
            today=usage.calls,
            this_minute=usage.minute_calls if usage.minute == minute else 0,
            limit=published_limit(usage.endpoint),
        )
        for usage in today.order_by("-calls", "endpoint")[:_MOST_BUDGETS]
    ]


def _pauses(corps: Mapping[int, str], titles: Mapping[str, object], now: datetime) -> list[Pause]:
    pauses: Iterable[EndpointPause] = EndpointPause.objects.filter(corp_id__in=corps, until__gt=now)
    return [
        Pause(
            corp=corps[pause.corp_id],
            title=str(titles.get(pause.kind, pause.kind)),
            until=pause.until,
            errcode=pause.errcode,
            error=pause.error,
        )
        for pause in sorted(pauses, key=lambda pause: pause.until)
    ]
