"""Ticks fire once per slot, whoever comes first."""

from datetime import datetime, timedelta

import pytest
from django_celery_beat.models import PeriodicTask

from scrm.jobs.actions.installing import install_ticks
from scrm.jobs.ticks import REGISTRY, claim_slot

EVERY = timedelta(seconds=10)
pytestmark = [pytest.mark.concurrency, pytest.mark.django_db]


def test_a_slot_is_fired_once(now: datetime) -> None:
    assert claim_slot("test", every=EVERY, now=now)
    assert not claim_slot("test", every=EVERY, now=now)
    assert not claim_slot("test", every=EVERY, now=now + timedelta(seconds=9))
    assert claim_slot("test", every=EVERY, now=now + timedelta(seconds=10))


def test_a_clock_that_is_set_back_does_not_silence_a_tick(now: datetime) -> None:
    claim_slot("test", every=EVERY, now=now)

    assert claim_slot("test", every=EVERY, now=now - timedelta(days=1))


def test_every_tick_has_a_beat_row_that_operators_may_change() -> None:
    install_ticks()
    PeriodicTask.objects.filter(name="outbox").update(enabled=False)

    install_ticks()

    assert set(PeriodicTask.objects.values_list("name", flat=True)) >= set(REGISTRY)
    assert not PeriodicTask.objects.get(name="outbox").enabled
    for row in PeriodicTask.objects.filter(name__in=REGISTRY):
        assert row.expire_seconds, f"firings of {row.name} would pile up while no worker runs"
