"""The ticks of the door: what came in, what is asked, what is to be read again."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

from celery import shared_task
from django.utils import timezone

from scrm.channels.actions.inbox import handle_due_events
from scrm.channels.actions.media import upload_due_media
from scrm.channels.actions.outbox import run_due_operations
from scrm.channels.actions.refreshes import run_due_refreshes
from scrm.jobs.ticks import tick


@tick("inbox", every=timedelta(seconds=2), queue="callbacks")
def handle_inbox(*, now: datetime) -> Counter[str]:
    return handle_due_events(now=now)


@tick("outbox", every=timedelta(seconds=2), queue="delivery")
def run_outbox(*, now: datetime) -> Counter[str]:
    return run_due_operations(now=now)


@tick("refreshes", every=timedelta(seconds=3), queue="sync")
def read_again(*, now: datetime) -> Counter[str]:
    return run_due_refreshes(now=now)


@tick("media", every=timedelta(seconds=3), queue="delivery")
def upload_media(*, now: datetime) -> Counter[str]:
    return upload_due_media(now=now)


@shared_task
def wake_inbox(**_: Any) -> None:
    """Handle what has just come in, and read what that asked for."""
    handle_due_events(now=timezone.now())
    run_due_refreshes(now=timezone.now())
