"""What a running sync has seen so far."""

from django.db import models

from customers.models.customers import Follow
from scrm.jobs.models import Job


class SyncSighting(models.Model):
    """A follow that a running sync has seen; what it has not seen by the end is gone.

    Kept in the database and not in the worker, so that a sync that is taken up again after a
    crash does not take the first half of the customers for lost. Events that arrive meanwhile
    leave their sightings too: the page on which they would have been listed may be past.
    """

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="+")
    follow = models.ForeignKey(Follow, on_delete=models.CASCADE, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["job", "follow"], name="sighting_once_per_job")
        ]

    def __str__(self) -> str:
        return f"{self.follow_id} in {self.job_id}"
