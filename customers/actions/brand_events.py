"""What people do elsewhere, told event by event.

An event is known by its `event_id`: told again it is answered as a duplicate. One whose data do not
fit the schema of its type is kept in quarantine, where it feeds nothing, until the schema is mended
(`event_types.py`) or the brand tells it again with data that fit.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils.translation import gettext as _

from customers.actions.derived import lock_customers
from customers.actions.event_types import problem_of, schemas_of
from customers.actions.identities import Ref, find_customers
from customers.actions.judging import judge_customers
from customers.actions.rows_told import RowReader, check_refs, refuse_nameless
from customers.models import BrandEvent, Customer
from scrm.audit.actions.recording import Actor
from scrm.common.errors import FieldProblem, InvalidInput
from scrm.tenancy.models import Corp

MAX_ROWS = 500
FIELDS = (
    "event_id", "type", "occurred_at", "data", "external_userid", "unionid", "member_id", "phone",
)  # fmt: skip
_FIELDS = frozenset(FIELDS)


@dataclass(frozen=True)
class EventAnswer:
    """What became of a row: `taken`, `quarantined`, `duplicate` or `refused`.

    `problem` says why it is in quarantine. A duplicate says `matched` of the one that is known.
    """

    event_id: str
    outcome: str
    matched: bool = False
    problem: str = ""
    errors: tuple[FieldProblem, ...] = ()


@dataclass(frozen=True)
class _Told:
    event_id: str
    type: str
    occurred_at: datetime
    data: dict[str, Any]
    refs: tuple[Ref, ...]
    awaited: tuple[str, bytes | None]
    customer_id: int | None = None
    problem: str = ""


def take_events(
    rows: Sequence[Mapping[str, Any]],
    *,
    corp: Corp,
    actor: Actor,
    now: datetime,
    dry_run: bool = False,
) -> list[EventAnswer]:
    """Take up to 500 events in; the answers are in the order of the rows.

    A row is a JSON object with the `FIELDS`; what is wrong with one is said in its answer, and the
    others are taken all the same. As many statements for five hundred rows as for one. Nothing is
    set off by an event, however late it comes. Raises InvalidInput for more than 500 rows.
    """
    if len(rows) > MAX_ROWS:
        message = _("Send at most %(limit)d rows in one call.") % {"limit": MAX_ROWS}
        raise InvalidInput(message, errors=(FieldProblem("/items", "too_many", message),))
    read = [_read(row, corp=corp, now=now) for row in rows]
    told = _judged([each for each in read if isinstance(each, _Told)], corp=corp)
    with transaction.atomic():
        outcomes = iter(_store(told, corp=corp, now=now))
        if dry_run:
            transaction.set_rollback(True)
    return [next(outcomes) if isinstance(each, _Told) else each for each in read]


def _read(row: Mapping[str, Any], *, corp: Corp, now: datetime) -> _Told | EventAnswer:
    reader = RowReader(row, now=now)
    reader.refuse_unknown(_FIELDS)
    event_id = reader.text("event_id", limit=128)
    named = reader.text("type", limit=64)
    occurred_at = reader.moment("occurred_at", is_required=True)
    data = reader.structure("data", dict, default=dict)
    refs = reader.refs()
    awaited = check_refs(reader, refs, corp=corp)
    if not refs and not reader.problems:
        refuse_nameless(reader)
    if reader.problems or occurred_at is None:
        told_id = str(row.get("event_id", ""))[:128]
        return EventAnswer(told_id, "refused", errors=tuple(reader.problems))
    return _Told(event_id, named, occurred_at, data, refs, awaited)


def _judged(told: list[_Told], *, corp: Corp) -> list[_Told]:
    """Each row with whom it names, and with why it does not fit its type."""
    known = find_customers((ref for each in told for ref in each.refs), corp=corp)
    types = schemas_of({each.type for each in told}, corp=corp)
    return [
        replace(
            each,
            customer_id=next((known[ref] for ref in each.refs if ref in known), None),
            problem=problem_of(each.data, types.get(each.type)),
        )
        for each in told
    ]


def _store(told: list[_Told], *, corp: Corp, now: datetime) -> list[EventAnswer]:
    # Of rows with one id the first counts, as it would if they came one after the other.
    first: dict[str, _Told] = {}
    for each in told:
        first.setdefault(each.event_id, each)
    customers = {each.customer_id for each in told if each.customer_id is not None}
    # Customers before events, as whoever adopts what waits does.
    lock_customers(Customer.objects.filter(pk__in=customers))
    written = _insert(list(first.values()), corp=corp, now=now)
    judge_customers(
        (
            each.customer_id
            for each in first.values()
            if each.customer_id is not None and each.event_id in written and not each.problem
        ),
        corp_id=corp.pk,
        now=now,
    )
    known = _known([event_id for event_id in first if event_id not in written], corp=corp)
    return [
        _answer(each, is_new=each.event_id in written and first[each.event_id] is each, known=known)
        for each in told
    ]


def _insert(told: list[_Told], *, corp: Corp, now: datetime) -> set[str]:
    """Return the ids written: new ones, and quarantined ones that were told again and fit now."""
    if not told:
        return set()
    rows = [
        {
            "event_id": each.event_id,
            "type": each.type,
            "occurred_at": each.occurred_at.isoformat(),
            "data": each.data,
            "status": _status_of(each),
            "problem": each.problem,
            "customer_id": each.customer_id,
            "kind": each.awaited[0],
            "digest": each.awaited[1].hex() if each.awaited[1] else None,
        }
        for each in sorted(told, key=lambda each: each.event_id)
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO customers_brandevent AS e (
                corp_id, event_id, type, occurred_at, received_at, data, status, problem,
                customer_id, awaited_kind, awaited_digest
            )
            SELECT %(corp)s, r.event_id, r.type, r.occurred_at, %(now)s, r.data, r.status,
                r.problem, r.customer_id, r.kind, decode(r.digest, 'hex')
            FROM jsonb_to_recordset(%(rows)s::jsonb) AS r (
                event_id text, type text, occurred_at timestamptz, data jsonb, status text,
                problem text, customer_id bigint, kind text, digest text
            )
            ON CONFLICT (corp_id, event_id) DO UPDATE SET
                type = excluded.type, occurred_at = excluded.occurred_at, data = excluded.data,
                status = excluded.status, problem = '',
                customer_id = COALESCE(excluded.customer_id, e.customer_id)
            WHERE e.status = 'quarantined' AND excluded.status = 'taken'
            RETURNING e.event_id
            """,
            {"corp": corp.pk, "now": now, "rows": json.dumps(rows)},
        )
        return {event_id for (event_id,) in cursor.fetchall()}


def _known(event_ids: list[str], *, corp: Corp) -> dict[str, bool]:
    if not event_ids:
        return {}
    rows = BrandEvent.objects.for_corp(corp).filter(event_id__in=event_ids)
    return {
        event_id: customer_id is not None
        for event_id, customer_id in rows.values_list("event_id", "customer_id")
    }


def _answer(told: _Told, *, is_new: bool, known: dict[str, bool]) -> EventAnswer:
    if is_new:
        is_matched = told.customer_id is not None
        return EventAnswer(told.event_id, _status_of(told), is_matched, told.problem)
    is_matched = known.get(told.event_id, told.customer_id is not None)
    return EventAnswer(told.event_id, "duplicate", is_matched)


def _status_of(told: _Told) -> str:
    return BrandEvent.Status.QUARANTINED if told.problem else BrandEvent.Status.TAKEN
