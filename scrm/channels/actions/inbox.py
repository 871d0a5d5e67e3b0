"""The inbox: callbacks stored once, then handled in order per subject.

An event that fails holds back the later ones of its own customer or chat for as long as it is tried
again (about two minutes), because most failures pass and order is worth that wait. Once it is given
up it waits for a person among the dead letters (`failed`), and the later ones pass: a customer must
not stand still for ever because of one event. It may be replayed at any time after them, for handlers
judge by when a thing happened, not by when they hear of it.

What no handler waits for, or nobody can read, is `ignored` with its reason.
"""

import hashlib
import logging
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from scrm.audit.actions.recording import Actor, record
from scrm.channels.actions.inbox_runs import TakenEvent, end_event, give_back, take_runs
from scrm.channels.events import ChannelEvent, Handler, handlers_of
from scrm.channels.models import InboundEvent
from scrm.channels.pace import BUDGET, Clock, back_off, clock_from
from scrm.channels.wecom.events import Callback, read_event
from scrm.channels.wecom.receivers import Receiver
from scrm.common.errors import DomainError
from scrm.tenancy.models import Corp

logger = logging.getLogger(__name__)

Status = InboundEvent.Status

_RETRIED, _OVERTAKEN = "retried", "overtaken"
# What ends a run: the later events of the subject wait for this one, or are somebody else's.
_HOLDS_BACK = {_RETRIED, _OVERTAKEN}

# Nothing is inserted when the event is there already (the platform repeats), and nothing either
# when the corp's token or key is no longer the one the callback was opened with.
_INSERT = """
INSERT INTO channels_inboundevent
    (corp_id, digest, event, change_type, order_key, body, status, attempts, error, happened_at,
     received_at, next_attempt_at, handled_at)
SELECT id, %(digest)s, %(event)s, %(change_type)s, %(order_key)s, %(body)s, %(status)s, 0,
       %(error)s, %(happened_at)s, %(now)s, %(now)s, %(handled_at)s
  FROM tenancy_corp
 WHERE id = %(corp)s AND callback_token = %(token)s AND callback_aes_key = %(aes_key)s
ON CONFLICT (corp_id, digest) DO NOTHING
"""


class EventNotDone(DomainError):
    code = "event_not_done"


def store_event(content: bytes, *, receiver: Receiver, now: datetime) -> Status | None:
    """Keep a callback's inner XML, in one statement; None when nothing was stored.

    What nothing would be done about is `ignored` at once, with the reason.
    """
    callback = read_event(content, received_at=now)
    _handlers, reason = _audience_of(callback)
    status = Status.IGNORED if reason else Status.RECEIVED
    row = {
        "digest": hashlib.sha256(content).digest(),
        "event": callback.event[:64],
        "change_type": callback.change_type[:64],
        "order_key": callback.order_key[:160],
        "body": content.decode("utf-8", "replace").replace("\x00", "\ufffd"),
        "status": status.value,
        "error": reason,
        "happened_at": callback.happened_at if callback.event else None,
        "now": now,
        "handled_at": None if status == Status.RECEIVED else now,
        "corp": receiver.corp_pk,
        "token": receiver.stored_token,
        "aes_key": receiver.stored_aes_key,
    }
    with connection.cursor() as cursor:
        cursor.execute(_INSERT, row)
        return status if cursor.rowcount else None


def handle_due_events(*, now: datetime, limit: int = 1000) -> Counter[str]:
    """Handle what is due, each event in its own transaction, in order per subject.

    A failed event is tried again later and then given up; it holds back only later events of
    its own subject, and those only until it is given up.
    """
    clock = clock_from(now)
    counts: Counter[str] = Counter()
    corps: dict[int, Corp] = {}
    while counts.total() < limit and clock() < now + BUDGET:
        runs = take_runs(now=clock(), at_most=limit - counts.total())
        if not runs:
            break
        corps |= Corp.objects.in_bulk({run[0].corp_id for run in runs} - corps.keys())
        untried: list[TakenEvent] = []
        for run in runs:
            outcomes = []
            if clock() < now + BUDGET:
                outcomes = _handle_run(run, corp=corps[run[0].corp_id], clock=clock)
            counts.update(outcomes)
            untried += run[len(outcomes) - outcomes.count(_OVERTAKEN) :]
        give_back(untried, now=clock())
    return counts


@transaction.atomic
def replay_event(event: InboundEvent, *, actor: Actor, now: datetime) -> InboundEvent:
    """Have an event handled again, whatever became of it."""
    locked = InboundEvent.objects.select_for_update(of=["self"]).select_related("corp")
    row = locked.get(pk=event.pk)
    record(
        "channels.event_replayed",
        actor=actor,
        corp=row.corp,
        subject=row,
        now=now,
        data={"status": row.status, "error": row.error},
    )
    _put_back(InboundEvent.objects.filter(pk=row.pk), now=now)
    row.refresh_from_db()
    return row


@transaction.atomic
def replay_events_like(event: InboundEvent, *, actor: Actor, now: datetime) -> int:
    """Have every event of the corp handled again that is of the kind and ended the same way.

    That is how a mended handler gets the dead letters of its kind, and a new one what was ignored
    before there was one. Returns how many there are.
    """
    if event.status not in {Status.FAILED, Status.IGNORED}:
        raise EventNotDone(_("Only events that were given up or ignored are replayed all at once."))
    alike = InboundEvent.objects.filter(
        corp_id=event.corp_id,
        event=event.event,
        change_type=event.change_type,
        status=event.status,
    )
    count = _put_back(alike, now=now)
    record(
        "channels.events_replayed",
        actor=actor,
        corp=event.corp,
        subject=event,
        now=now,
        data={
            "event": event.event,
            "change_type": event.change_type,
            "status": event.status,
            "count": count,
        },
    )
    return count


def _put_back(rows: QuerySet[InboundEvent], *, now: datetime) -> int:
    return rows.update(
        status=Status.RECEIVED, attempts=0, error="", next_attempt_at=now, handled_at=None
    )


def _audience_of(callback: Callback) -> tuple[Sequence[Handler[ChannelEvent]], str]:
    """Who is to hear of it, or why nobody is."""
    if callback.typed is None:
        return (), callback.reason
    handlers = handlers_of(callback.typed)
    return handlers, "" if handlers else _("Nothing is done about this kind of event yet.")


def _handle_run(run: Sequence[TakenEvent], *, corp: Corp, clock: Clock) -> list[str]:
    """Handle a run up to the first event that has to be waited for; what became of each."""
    outcomes: list[str] = []
    for event in run:
        outcomes.append(_handle(event, corp=corp, now=clock()))
        if outcomes[-1] in _HOLDS_BACK:
            break
    return outcomes


def _handle(event: TakenEvent, *, corp: Corp, now: datetime) -> str:
    """Give one event to its listeners; what goes wrong is written into it."""
    if event.attempts > settings.INBOX_MAX_ATTEMPTS:
        return _note_failure(event, _("Its worker died each time it was handled."), now=now)
    try:
        return _give_to_handlers(event, corp=corp, now=now)
    except DomainError as error:
        return _note_failure(event, str(error), now=now)
    except Exception as error:
        # A poisoned event must not stop the others; it is shown in the inbox and can be replayed.
        logger.exception("Event failed", extra={"corp": corp.corp_id, "inbound_event": event.pk})
        return _note_failure(event, f"{type(error).__name__}: {error}", now=now)


def _give_to_handlers(event: TakenEvent, *, corp: Corp, now: datetime) -> str:
    callback = read_event(event.body.encode(), received_at=event.received_at)
    handlers, reason = _audience_of(callback)
    status = Status.IGNORED if reason else Status.HANDLED
    with transaction.atomic():
        if not end_event(event, status.value, error=reason, now=now):
            return _OVERTAKEN
        if callback.typed:
            for handle in handlers:
                handle(callback.typed, corp, now)
    return status.value


def _note_failure(event: TakenEvent, error: str, *, now: datetime) -> str:
    text = error.replace("\x00", "")[:2000]
    if event.attempts >= settings.INBOX_MAX_ATTEMPTS:
        is_mine = end_event(event, Status.FAILED.value, error=text, now=now)
        return Status.FAILED.value if is_mine else _OVERTAKEN
    mine = InboundEvent.objects.filter(pk=event.pk, status=Status.RECEIVED, attempts=event.attempts)
    mine.update(error=text, next_attempt_at=now + back_off(event.attempts))
    return _RETRIED
