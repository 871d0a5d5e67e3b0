"""Checks of what lies in our own database: callbacks, keys, queues, and who works on them."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Max, Min, Q, QuerySet
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.timesince import timesince
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django_celery_beat.models import PeriodicTask

from risk.models import ArchivedMessage
from scrm.channels.models import ArchiveKey, InboundEvent, Operation, Refresh
from scrm.dashboard.doctor.findings import Finding, Verdict
from scrm.jobs.models import Job, Tick
from scrm.jobs.ticks import REGISTRY
from scrm.tenancy.models import Corp

_QUIET_DAYS = timedelta(days=2)
_WELCOME_SPAN = timedelta(days=7)
_WELCOMES_LOOKED_AT = 200
_SLOW_AFTER = timedelta(minutes=10)
_SILENT_AFTER = timedelta(minutes=2)
_ADDED = ("add_external_contact", "add_half_external_contact")


def look_here(corp: Corp, *, now: datetime) -> Iterator[Finding]:
    yield _callbacks(corp, now=now)
    yield _welcome(corp, now=now)
    yield from _archive_keys(corp)
    yield from _engine(now=now)
    yield _inbox(corp, now=now)
    yield _outbox(corp, now=now)
    yield _jobs(corp, now=now)


def _callbacks(corp: Corp, *, now: datetime) -> Finding:
    """Callbacks that came prove address, token and key better than any question could."""
    title = _("Callbacks")
    events = InboundEvent.objects.for_corp(corp)
    last = events.aggregate(last=Max("received_at"))["last"]
    remedy = _("Console › App management › your app › Receive messages › Set by API: enter address, token and AES key of the corp's page, and tick customer contact and group events.")  # fmt: skip
    if last is None:
        sentence = _("None has ever come in.")
        return Finding("callbacks", Verdict.WRONG, title, sentence, remedy, _corp_page(corp))
    values = {"moment": date_format(localtime(last), "DATETIME_FORMAT")}
    sentence = _("The last one came in %(moment)s; address, token and key are right.") % values
    if now - last > _QUIET_DAYS:
        return Finding("callbacks", Verdict.WARNING, title, sentence, remedy, _corp_page(corp))
    link = reverse("admin:channels_inboundevent_changelist")
    return Finding("callbacks", Verdict.OK, title, sentence, link=link)


def _welcome(corp: Corp, *, now: datetime) -> Finding:
    """A welcome set in the console takes the code away from the callback [doc 92137]."""
    title = _("Welcome messages")
    added = InboundEvent.objects.for_corp(corp).filter(
        change_type__in=_ADDED, received_at__gte=now - _WELCOME_SPAN
    )
    bodies = list(added.order_by("-id").values_list("body", flat=True)[:_WELCOMES_LOOKED_AT])
    with_code = sum(1 for body in bodies if "<WelcomeCode>" in body)
    if not bodies:
        sentence = _("Nobody was added within 7 days, so nothing can be said.")
        return Finding("welcome", Verdict.UNKNOWN, title, sentence)
    values = {"codes": with_code, "added": len(bodies)}
    sentence = _("%(codes)s of the last %(added)s added customers came with a welcome code.")
    if with_code:
        return Finding("welcome", Verdict.OK, title, sentence % values)
    remedy = _("A welcome of the console takes precedence: Console › Customer contact › Chat tools › Welcome message: switch it off, and see that no other app sends one.")  # fmt: skip
    return Finding("welcome", Verdict.WARNING, title, sentence % values, remedy)


def _archive_keys(corp: Corp) -> Iterator[Finding]:
    if not corp.archive_secret:
        return
    title = _("Archive keys")
    versions = list(
        ArchiveKey.objects.for_corp(corp).order_by("version").values_list("version", flat=True)
    )
    sealed = ArchivedMessage.objects.for_corp(corp).filter(
        text_state=ArchivedMessage.TextState.UNREADABLE
    )
    missing = sorted(set(sealed.values_list("key_version", flat=True).distinct()) - set(versions))
    remedy = _("Corp page › Add key: paste the private key of each version that the console lists.")
    if not versions:
        sentence = _("There is none, so no message can be opened.")
        yield Finding("archive_keys", Verdict.WRONG, title, sentence, remedy, _corp_page(corp))
    elif missing:
        sentence = _("Messages wait for keys of version %(versions)s.")
        values = {"versions": ", ".join(map(str, missing))}
        yield Finding(
            "archive_keys", Verdict.WRONG, title, sentence % values, remedy, _corp_page(corp)
        )
    else:
        sentence = _("Versions %(versions)s are kept.")
        values = {"versions": ", ".join(map(str, versions))}
        yield Finding("archive_keys", Verdict.OK, title, sentence % values)


def _engine(*, now: datetime) -> Iterator[Finding]:
    """Beat writes when it sent a tick, a worker when it ran one: that tells them apart."""
    sent = PeriodicTask.objects.filter(name__in=REGISTRY, enabled=True)
    last_sent = sent.aggregate(last=Max("last_run_at"))["last"]
    last_run = Tick.objects.aggregate(last=Max("fired_at"))["last"]
    if last_run and now - last_run <= _SILENT_AFTER:
        yield Finding("beat", Verdict.OK, _("Beat"), _("Ticks come."))
        yield _ticks(now=now)
        return
    beats = bool(last_sent and now - last_sent <= _SILENT_AFTER + _beat_writes_every())
    if beats:
        yield Finding("beat", Verdict.OK, _("Beat"), _("It sends ticks."))
        remedy = _("Start a worker on all queues, and see that it uses the same broker: celery -A scrm worker -Q default,callbacks,delivery,sync.")  # fmt: skip
    else:
        yield Finding(
            "beat", Verdict.WRONG, _("Beat"), _since(last_sent or last_run, now),
            _("Start it: celery -A scrm beat (manage.py up runs it together with a worker)."),
        )  # fmt: skip
        remedy = _("Nothing is sent to workers while beat does not run: start it first.")
    yield Finding("worker", Verdict.WRONG, _("Worker"), _since(last_run, now), remedy)


def _beat_writes_every() -> timedelta:
    # DatabaseScheduler keeps `last_run_at` in memory and writes it every three minutes.
    return timedelta(minutes=3)


def _since(moment: datetime | None, now: datetime) -> str:
    if moment is None:
        return _("It has never run.")
    return _("Nothing for %(time)s.") % {"time": timesince(moment, now)}


def _ticks(*, now: datetime) -> Finding:
    """A worker that leaves a queue out lets some ticks stand still while others run."""
    title = _("Worker")
    fired = dict(Tick.objects.values_list("name", "fired_at"))
    enabled = set(PeriodicTask.objects.filter(enabled=True).values_list("name", flat=True))
    late = [
        spec
        for name, spec in REGISTRY.items()
        if name in enabled
        and (name not in fired or now - fired[name] > 3 * spec.every + _SILENT_AFTER)
    ]
    link = reverse("admin:jobs_tick_changelist")
    if not late:
        return Finding("worker", Verdict.OK, title, _("It runs every tick in time."), link=link)
    queues = ", ".join(sorted({spec.queue for spec in late}))
    sentence = _("%(count)s ticks stand still, of the queues %(queues)s.")
    remedy = _("See that some worker listens to these queues (-Q) and is not stuck; the log says on what.")  # fmt: skip
    values = {"count": len(late), "queues": queues}
    return Finding("worker", Verdict.WARNING, title, sentence % values, remedy, link)


def _inbox(corp: Corp, *, now: datetime) -> Finding:
    events = InboundEvent.objects.for_corp(corp)
    link = reverse("admin:channels_inboundevent_changelist")
    failed = events.filter(status=InboundEvent.Status.FAILED).count()
    waiting = events.filter(status=InboundEvent.Status.RECEIVED)
    return _queue(
        "inbox", _("Inbox"), waiting, now=now, link=f"{link}?status=failed" if failed else link,
        stuck=failed, stuck_sentence=ngettext("%(count)s event failed.", "%(count)s events failed.", failed),
        remedy=_("Open them: each says why, and can be replayed."),
    )  # fmt: skip


def _outbox(corp: Corp, *, now: datetime) -> Finding:
    operations = Operation.objects.for_corp(corp)
    link = reverse("admin:channels_operation_changelist")
    parked = operations.filter(status=Operation.Status.PARKED).count()
    waiting = operations.filter(status=Operation.Status.PENDING)
    return _queue(
        "outbox", _("Outbox"), waiting, now=now, link=f"{link}?status=parked" if parked else link,
        stuck=parked, stuck_sentence=ngettext("%(count)s operation is parked.", "%(count)s operations are parked.", parked),
        remedy=_("Open them: correct what each names, then retry or cancel."),
    )  # fmt: skip


def _jobs(corp: Corp, *, now: datetime) -> Finding:
    jobs = Job.objects.for_corp(corp)
    refreshes = Refresh.objects.for_corp(corp).filter(attempts__gt=3).count()
    waiting = jobs.filter(status=Job.Status.QUEUED)
    oldest = waiting.aggregate(oldest=Min("due_at"))["oldest"]
    failed = jobs.filter(status=Job.Status.FAILED, finished_at__gte=now - timedelta(days=1)).count()
    link = reverse("admin:jobs_job_changelist")
    stuck = failed + refreshes
    if stuck:
        sentence = _("%(jobs)s jobs failed within a day; %(refreshes)s records cannot be read again.")  # fmt: skip
        values = {"jobs": failed, "refreshes": refreshes}
        remedy = _("Open them: each says why.")
        return Finding("jobs", Verdict.WARNING, _("Jobs"), sentence % values, remedy, link)
    return _waiting("jobs", _("Jobs"), oldest, waiting.count(), now=now, link=link)


def _queue(  # noqa: PLR0913 (one queue, spelled out)
    check: str,
    title: str,
    waiting: QuerySet[Any],
    *,
    now: datetime,
    link: str,
    stuck: int,
    stuck_sentence: str,
    remedy: str,
) -> Finding:
    if stuck:
        found = stuck_sentence % {"count": stuck}
        return Finding(check, Verdict.WARNING, title, found, remedy, link)
    due = waiting.filter(Q(next_attempt_at__lte=now))
    oldest = due.aggregate(oldest=Min("next_attempt_at"))["oldest"]
    return _waiting(check, title, oldest, due.count(), now=now, link=link)


def _waiting(
    check: str, title: str, oldest: datetime | None, count: int, *, now: datetime, link: str
) -> Finding:
    if oldest is None or now - oldest <= _SLOW_AFTER:
        return Finding(check, Verdict.OK, title, _("Nothing waits for long."), link=link)
    sentence = _("%(count)s wait, the oldest for %(time)s.")
    values = {"count": count, "time": timesince(oldest, now)}
    remedy = _("Start more workers, or see in their log what keeps them.")
    return Finding(check, Verdict.WARNING, title, sentence % values, remedy, link)


def _corp_page(corp: Corp) -> str:
    return reverse("admin:tenancy_corp_change", args=[corp.pk])
