"""Installing the ticks as django-celery-beat rows that operators can see and slow down."""

from django_celery_beat.models import IntervalSchedule, PeriodicTask

from scrm.jobs.ticks import REGISTRY, TickSpec


def install_ticks() -> None:
    """Create the beat row of every tick that has none; leave the operators' changes alone."""
    for spec in REGISTRY.values():
        _install(spec)


def _install(spec: TickSpec) -> None:
    seconds = int(spec.every.total_seconds())
    schedule, _ = IntervalSchedule.objects.get_or_create(
        every=seconds, period=IntervalSchedule.SECONDS
    )
    PeriodicTask.objects.get_or_create(
        name=spec.name,
        defaults={
            "task": spec.task,
            "interval": schedule,
            "queue": spec.queue,
            # A firing that waited longer than two slots is worth nothing: the next one is due.
            "expire_seconds": max(2 * seconds, 10),
            "description": "Installed by the product; may be slowed down or switched off.",
        },
    )
