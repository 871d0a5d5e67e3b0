"""What a running sync has seen so far."""

from django.db import models

from scrm.common.models import CorpQuerySet
from scrm.jobs.models import Job


class SyncSighting(models.Model):
    """A follow that a running sync has seen; what it has not seen by the end is gone.

    Kept in the database and not in the worker, so that a sync that is taken up again after a
    crash does not take the first half of the customers for lost.
    """

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="+")
    userid = models.CharField(max_length=64)
    external_userid = models.CharField(max_length=64)

    objects = CorpQuerySet["SyncSighting"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["job", "userid", "external_userid"], name="sighting_once_per_job"
            )
        ]

    def __str__(self) -> str:
        return f"{self.userid} → {self.external_userid}"
