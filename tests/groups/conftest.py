from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial

import pytest
from django.utils import translation

from groups.actions.sync import start_sync
from scrm.jobs.actions.running import claim_job, run_job
from scrm.jobs.models import Job
from scrm.tenancy.models import Corp
from tests.factories import NOW

Sync = Callable[..., Job]


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    with translation.override("en"):
        yield


def run_sync(corp: Corp, *parts: str, now: datetime = NOW) -> Job:
    """Start a sync and run it as a worker would, to its end or its failure."""
    job = claim_job(now=now, pk=start_sync(corp, now=now, only=parts).pk)
    assert job is not None
    return run_job(job, clock=lambda: now)


@pytest.fixture
def sync(brand: Corp) -> Sync:
    """Sync the sandbox's corp, all of it or the parts named."""
    return partial(run_sync, brand)
