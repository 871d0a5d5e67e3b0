"""Long pieces of our own work, and the slots of the beat ticks."""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from scrm.common.models import CorpModel, CorpQuerySet


class JobQuerySet(CorpQuerySet["Job"]):
    def due(self, now: datetime) -> Self:
        """Waiting jobs, and running ones whose worker has let its lease run out."""
        waiting = Q(status=Job.Status.QUEUED, due_at__lte=now)
        abandoned = Q(status=Job.Status.RUNNING, lease_until__lt=now)
        return self.filter(waiting | abandoned).order_by("due_at", "id")


class Job(CorpModel):
    """One long piece of our own work; the API's 202 `operation`.

    `state` is the worker's bookmark: a job that is taken up again goes on from it.
    """

    class Status(models.TextChoices):
        QUEUED = "queued", _("waiting")
        RUNNING = "running", _("running")
        SUCCEEDED = "succeeded", _("done")
        FAILED = "failed", _("failed")
        PARTIAL = "partial", _("partly done")

    kind = models.CharField(_("kind"), max_length=64)
    subject_id = models.CharField(max_length=64, blank=True)
    status = models.CharField(_("status"), max_length=16, choices=Status, default=Status.QUEUED)
    params = models.JSONField(default=dict)
    state = models.JSONField(default=dict)
    done = models.PositiveBigIntegerField(_("done"), default=0)
    total = models.PositiveBigIntegerField(_("of"), null=True)
    report = models.JSONField(_("report"), default=dict)
    errors = models.JSONField(_("errors"), default=list)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    created_at = models.DateTimeField(_("created"))
    due_at = models.DateTimeField(_("due"))
    started_at = models.DateTimeField(_("started"), null=True)
    # When the worker that is at it took it up; it writes only while this is so.
    claimed_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(_("finished"), null=True)

    objects = JobQuerySet.as_manager()

    class Meta:
        verbose_name = _("job")
        verbose_name_plural = _("jobs")
        indexes = [
            # `due()`: only unfinished rows, a handful among millions.
            models.Index(
                fields=["due_at", "id"],
                name="job_queue",
                condition=Q(status__in=["queued", "running"]),
            ),
            models.Index(fields=["corp", "kind", "-id"], name="job_by_kind"),
        ]
        constraints = [
            # A second click on "sync now" finds the job that is already there.
            models.UniqueConstraint(
                fields=["corp", "kind", "subject_id"],
                name="job_once_at_a_time",
                condition=Q(status__in=["queued", "running"]),
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} #{self.pk} {self.status}"

    @property
    def is_finished(self) -> bool:
        return self.status not in {Job.Status.QUEUED, Job.Status.RUNNING}


class Tick(models.Model):
    """The last slot of a beat tick that was fired, by whichever beat came first."""

    name = models.CharField(_("name"), max_length=64, primary_key=True)
    slot = models.BigIntegerField(_("slot"))
    fired_at = models.DateTimeField(_("fired"))
    took_ms = models.PositiveIntegerField(_("took ms"), default=0)

    class Meta:
        verbose_name = _("tick")
        verbose_name_plural = _("ticks")

    def __str__(self) -> str:
        return self.name
