"""Which events a worker takes, and how it lets go of them.

What is taken is a run: the earliest waiting event of a subject and those right behind it. One
statement takes many runs, pushes them ahead by a lease and counts an attempt of each event, so that
one its worker dies of cannot loop. What the worker did not come to is given back uncounted.

What has been tried before is taken alone, never among others: an event that kills its worker costs
each of the events that were taken with it one attempt, and never a second.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection

from scrm.channels.models import InboundEvent

# Subjects taken at a time, how far each of them is followed, and how many events that may be:
# few enough to be handled long before their lease ends.
_SUBJECTS = 50
_IN_A_ROW = 20
_AT_A_TIME = 200

# An event behind another of its subject is nobody's to take; one without a subject is behind none.
_IS_HEAD = """(e.order_key = '' OR NOT EXISTS (
        SELECT FROM channels_inboundevent earlier
         WHERE earlier.corp_id = e.corp_id AND earlier.order_key = e.order_key
           AND earlier.status = 'received' AND earlier.id < e.id
    ))"""

# A head is locked before its followers are taken; who finds it locked, taken or done leaves them,
# too. So the heads' locks are all that is needed, and nobody waits for anybody.
_TAKE = f"""
WITH heads AS MATERIALIZED (
    SELECT id, corp_id, order_key, attempts, next_attempt_at
      FROM channels_inboundevent e
     WHERE status = 'received' AND next_attempt_at <= %(now)s AND {_IS_HEAD}
     ORDER BY next_attempt_at, id
     LIMIT %(subjects)s
       FOR UPDATE SKIP LOCKED
), ranked AS (
    SELECT *, row_number() OVER queue AS place, first_value(attempts) OVER queue AS tried
      FROM heads WINDOW queue AS (ORDER BY next_attempt_at, id)
), chosen AS (
    SELECT * FROM ranked WHERE place = 1 OR (attempts = 0 AND tried = 0)
), taken AS (
    SELECT id, place FROM chosen
    UNION ALL
    SELECT follower.id, head.place
      FROM chosen head CROSS JOIN LATERAL (
          SELECT id, bool_and(attempts = 0 AND next_attempt_at <= %(now)s)
                     OVER (ORDER BY id) AS is_free
            FROM (SELECT id, attempts, next_attempt_at FROM channels_inboundevent
                   WHERE corp_id = head.corp_id AND order_key = head.order_key
                     AND status = 'received' AND id > head.id
                   ORDER BY id LIMIT %(followers)s) behind
      ) follower
     WHERE head.order_key <> '' AND head.attempts = 0 AND follower.is_free
     ORDER BY place, id
     LIMIT %(at_most)s
)
UPDATE channels_inboundevent e
   SET attempts = e.attempts + 1, next_attempt_at = %(lease)s
  FROM taken
 WHERE e.id = taken.id AND e.status = 'received'
RETURNING taken.place, e.id, e.corp_id, e.order_key, e.attempts, e.body, e.received_at
"""  # noqa: S608

# Nothing when another worker has taken the event since, or when an earlier one of its subject has
# come to light: put back by a person, or committed after a later one.
_END = f"""
UPDATE channels_inboundevent e
   SET status = %(status)s, error = %(error)s, handled_at = %(now)s
 WHERE id = %(id)s AND status = 'received' AND attempts = %(attempts)s AND {_IS_HEAD}
"""  # noqa: S608


class TakenEvent(NamedTuple):
    """An event in this worker's hands; `attempts` counts this one, and proves that it is still its."""

    place: int
    pk: int
    corp_id: int
    order_key: str
    attempts: int
    body: str
    received_at: datetime


def take_runs(*, now: datetime, at_most: int) -> list[list[TakenEvent]]:
    """Take what is due, in one statement: per subject a run in its order, up to `at_most` events."""
    details: dict[str, Any] = {
        "now": now,
        "lease": now + settings.INBOX_LEASE,
        "subjects": _SUBJECTS,
        "followers": _IN_A_ROW - 1,
        "at_most": min(at_most, _AT_A_TIME),
    }
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, details)
        taken = sorted(TakenEvent(*row) for row in cursor.fetchall())
    return [list(run) for _place, run in groupby(taken, key=lambda event: event.place)]


def end_event(event: TakenEvent, status: str, *, error: str = "", now: datetime) -> bool:
    """Write what becomes of an event, in the caller's transaction; False when it is not its any more.

    Written first, it keeps everybody else off until that transaction ends, lease or no lease.
    """
    result: dict[str, Any] = {"status": status, "error": error, "now": now}
    with connection.cursor() as cursor:
        cursor.execute(_END, {"id": event.pk, "attempts": event.attempts, **result})
        return bool(cursor.rowcount)


def give_back(events: Sequence[TakenEvent], *, now: datetime) -> None:
    """Let go of what was not tried; only what was taken for the first time is taken with others."""
    if events:
        mine = InboundEvent.objects.filter(pk__in=[event.pk for event in events], attempts=1)
        mine.filter(status=InboundEvent.Status.RECEIVED).update(attempts=0, next_attempt_at=now)
