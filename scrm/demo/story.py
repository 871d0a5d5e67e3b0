"""The demonstration's story: some days of a maternity brand, played on the real product."""

import time

from django.utils import timezone

from campaigns.models import Campaign
from customers.models import Customer
from groups.actions.sync import start_sync
from scrm.demo.chapters import Chapter
from scrm.demo.chapters.main_job import MainJob
from scrm.demo.chapters.maternity import Maternity
from scrm.demo.chapters.resignation import Resignation
from scrm.demo.chapters.risk import Review
from scrm.demo.chapters.topic import WeeklyTopic
from scrm.demo.scene import Scene


class Story:
    """The chapters in their order, and what they leave behind."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.main_job = MainJob()
        topic = WeeklyTopic(since=scene.sandbox.clock.now())
        self.chapters: tuple[Chapter, ...] = (
            Resignation(), self.main_job, Maternity(), topic, Review(),
        )  # fmt: skip

    @property
    def campaign(self) -> Campaign:
        return self.main_job.campaign

    def play(self) -> None:
        self._sync_everything()
        for chapter in self.chapters:
            chapter.play(self.scene)
            # From the resignation on, the platform's day is today.
            self.scene.sandbox.clock.set(max(time.time(), self.scene.sandbox.clock.now()))
        self.scene.wait_for_quiet()

    def _sync_everything(self) -> None:
        job = start_sync(self.scene.corp, now=timezone.now())
        self.scene.wait_for_job(job, what="the first sync")
        customers = Customer.objects.for_corp(self.scene.corp).live().count()
        self.scene.tell(f"synced: {customers} customers with their staff, tags and groups")
