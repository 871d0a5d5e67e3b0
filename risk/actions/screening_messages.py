"""Screening archived messages: each once, what it holds in one incident."""

import logging
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import OperationalError, transaction
from django.utils.translation import gettext as _

from risk.actions.incidents import Occasion, raise_incident
from risk.actions.reading import People, people_of
from risk.actions.screening import (
    Direction,
    Verdict,
    screen_text,
    screen_texts,
    screening_version,
)
from risk.models import ArchivedMessage, Incident, Severity
from scrm.channels.pace import BUDGET, clock_from
from scrm.tenancy.models import Corp, Staff

logger = logging.getLogger(__name__)

_BATCH = 200
# Something of everything that rules look for.
_PROBE = "加我微信 ＶＸ: 13800138000, 6222 0000 0000 0000, a@b.example, https://c.example 🙂"
_RANK = {Severity.LOW: 0, Severity.MEDIUM: 1, Severity.HIGH: 2}


def screen_due_messages(*, now: datetime) -> Counter[str]:
    """Screen what was taken in and not screened yet; any number of workers may run it."""
    clock = clock_from(now)
    counts: Counter[str] = Counter()
    skipped: set[int] = set()
    while clock() < now + BUDGET:
        batch = _screen_batch(skipped, now=clock())
        counts += batch
        if batch["screened"] + batch["failed"] + batch["waiting"] < _BATCH:
            break
    return counts


@transaction.atomic
def _screen_batch(skipped: set[int], *, now: datetime) -> Counter[str]:
    """Of a corp: verdicts, incidents and the mark "screened", all together or not at all.

    Corps that cannot be screened are put into `skipped`, by their pk: until the next run, so that
    the messages of others come behind theirs.
    """
    waiting = ArchivedMessage.objects.to_screen().exclude(corp__in=skipped).select_related("corp")
    messages = list(waiting.select_for_update(skip_locked=True, of=("self",))[:_BATCH])
    counts: Counter[str] = Counter()
    of_corps: dict[Corp, list[ArchivedMessage]] = defaultdict(list)
    for message in messages:
        of_corps[message.corp].append(message)
    for corp, batch in of_corps.items():
        try:
            with transaction.atomic():
                counts += _screen(batch, corp=corp, now=now)
        except Exception:
            # Rules of one corp that are broken must not keep the others from being screened.
            logger.exception("The messages of a corp wait", extra={"corp": corp.corp_id})
            skipped.add(corp.pk)
            counts["waiting"] += len(batch)
    return counts


def _screen(messages: list[ArchivedMessage], *, corp: Corp, now: datetime) -> Counter[str]:
    counts: Counter[str] = Counter()
    version = screening_version(corp)
    people = people_of(messages, corp=corp)
    # Rules may hold for some departments: what each member of staff says is screened by itself.
    alike: dict[tuple[Direction, Staff | None], list[ArchivedMessage]] = defaultdict(list)
    for message in messages:
        direction = Direction.STAFF if message.is_from_staff else Direction.CUSTOMER
        alike[direction, _staff_in(message, people)].append(message)
    for (direction, staff), batch in alike.items():
        verdicts = _verdicts(batch, corp=corp, direction=direction, staff=staff)
        for message, verdict in zip(batch, verdicts, strict=True):
            counts += _note_safely(message, verdict, staff=staff, people=people, now=now)
    # One that could not be screened has said so; the others get their version at once.
    rows = ArchivedMessage.objects.filter(pk__in=[message.pk for message in messages])
    rows.filter(screened_version__isnull=True).update(screened_version=version)
    return counts


def _verdicts(
    messages: Sequence[ArchivedMessage], *, corp: Corp, direction: Direction, staff: Staff | None
) -> Sequence[Verdict | None]:
    """None for one that the engine fails at: it must not keep the others from being screened."""
    rules: dict[str, Any] = {"corp": corp, "direction": direction, "staff": staff}
    try:
        return screen_texts([message.text for message in messages], **rules)
    except Exception:
        logger.exception("Screening failed", extra={"corp": corp.corp_id})
    # Rules or an engine that are broken fail at any text: then the corp's messages wait.
    screen_text(_PROBE, **rules)
    return [_verdict(message, rules) for message in messages]


def _verdict(message: ArchivedMessage, rules: dict[str, Any]) -> Verdict | None:
    try:
        return screen_text(message.text, **rules)
    except Exception:
        logger.exception("A message cannot be screened", extra={"archived": message.pk})
        return None


def _note_safely(
    message: ArchivedMessage,
    verdict: Verdict | None,
    *,
    staff: Staff | None,
    people: People,
    now: datetime,
) -> Counter[str]:
    if verdict is None:
        return _note_failure(message)
    if not verdict.hits and len(message.text) <= ArchivedMessage.KEPT_CHARACTERS:
        return Counter(screened=1)
    try:
        with transaction.atomic():
            return _note(message, verdict, staff=staff, people=people, now=now)
    except OperationalError:
        # The database, not the message: all of the corp is tried again.
        raise
    except Exception:
        logger.exception("A verdict cannot be noted", extra={"archived": message.pk})
        return _note_failure(message)


def _note_failure(message: ArchivedMessage) -> Counter[str]:
    message.problem = _("It could not be screened: look at it yourself.")
    message.screened_version = 0
    message.save(update_fields=["problem", "screened_version"])
    return Counter(failed=1)


def _note(
    message: ArchivedMessage,
    verdict: Verdict,
    *,
    staff: Staff | None,
    people: People,
    now: datetime,
) -> Counter[str]:
    counts = Counter(screened=1)
    if verdict.hits:
        worst = max(verdict.hits, key=lambda hit: _RANK[Severity(hit.severity)])
        occasion = Occasion(
            Incident.Kind.MESSAGE,
            f"message:{message.msgid}",
            worst.severity,
            message.sent_at or message.pulled_at,
            category=worst.category,
            staff=staff,
            external_userid=_outsider_in(message, people),
            chat_id=message.room_id,
            message=message,
            hits=verdict.hits,
        )
        incident = raise_incident(occasion, corp=message.corp, now=now)
        counts += Counter(hits=len(verdict.hits), incidents=int(incident.is_open))
    if len(message.text) > ArchivedMessage.KEPT_CHARACTERS:
        # Screened as a whole; of a very long one the beginning is kept.
        message.text = message.text[: ArchivedMessage.KEPT_CHARACTERS]
        message.save(update_fields=["text"])
    return counts


def _staff_in(message: ArchivedMessage, people: People) -> Staff | None:
    """Who speaks, or the only colleague spoken to."""
    if message.is_from_staff:
        return people.find_staff(message.sender)
    found = [staff for who in message.receivers if (staff := people.find_staff(who))]
    return found[0] if len(found) == 1 else None


def _outsider_in(message: ArchivedMessage, people: People) -> str:
    """The customer it is about: who speaks, or the only one spoken to."""
    if people.is_outsider(message.sender):
        return message.sender
    outsiders = [who for who in message.receivers if people.is_outsider(who)]
    return outsiders[0] if len(outsiders) == 1 else ""
