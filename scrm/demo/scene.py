"""What every chapter of the demonstration stands on: a corp, the platform behind it, patience."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from scrm.channels.models import InboundEvent, Operation, Refresh
from scrm.jobs.models import Job
from scrm.sandbox.remote import SandboxRemote
from scrm.tenancy.models import Corp

STEP_SECONDS = 90


class StoryStuck(Exception):
    """A step did not come to its end in time; says which and what was seen last."""


@dataclass
class Scene:
    """A corp, the platform behind it, and somebody to tell how it goes."""

    corp: Corp
    sandbox: SandboxRemote
    tell: Callable[[str], None]

    def wait(self, done: Callable[[], bool], *, what: str, progress: Job | None = None) -> None:
        """Wait until the product, driven by its own ticks and callbacks, has done its part."""
        deadline = time.monotonic() + STEP_SECONDS
        told = 0
        while not done():
            if time.monotonic() > deadline:
                raise StoryStuck(f"Waited {STEP_SECONDS} s for {what}.")
            if progress and progress.done - told >= 1000:
                told = progress.done
                self.tell(f"  … {told} of {progress.total or '?'}")
            time.sleep(0.1)

    def wait_for_job(self, job: Job, *, what: str) -> None:
        self.wait(lambda: self._finished(job), what=what, progress=job)

    def wait_for_quiet(self) -> None:
        """Until every callback the platform sent is dealt with and nothing is half-asked."""
        self.sandbox.callbacks.drain()
        waiting = InboundEvent.objects.for_corp(self.corp).filter(status="received")
        reads = Refresh.objects.for_corp(self.corp)
        asked = Operation.objects.for_corp(self.corp).filter(status__in=Operation.UNFINISHED)

        def is_quiet() -> bool:
            return not (waiting.exists() or reads.exists() or asked.exists())

        self.wait(is_quiet, what="the last callbacks")

    def _finished(self, job: Job) -> bool:
        job.refresh_from_db()
        if job.status == Job.Status.FAILED:
            raise StoryStuck(f"{job.kind} failed: {job.errors}")
        return job.is_finished
