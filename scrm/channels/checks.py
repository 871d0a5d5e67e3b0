"""Start-up checks: time limits that only make sense together, kinds that say all they have to."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from scrm.channels.kinds import registered_kinds, unsaid_of


@register()
def lease_outlasts_a_call(**_: Any) -> Sequence[CheckMessage]:
    """A worker that still waits for its answer must not be taken for dead."""
    call = sum(settings.CHANNEL_TIMEOUTS)
    lease = settings.OUTBOX_LEASE.total_seconds()
    if lease >= call + 5:
        return []
    return [
        Error(
            f"SCRM_OUTBOX_LEASE is {lease:.0f} s, but a call may take {call:.0f} s.",
            hint="Make it at least 5 s longer, or lower SCRM_CHANNEL_TIMEOUT.",
            id="channels.E001",
        )
    ]


@register()
def kinds_are_complete(**_: Any) -> Sequence[CheckMessage]:
    """What an operation does when something goes wrong is decided before anything does."""
    return [
        Error(f"The operation {kind.name} {unsaid}.", id="channels.E002")
        for kind in registered_kinds()
        for unsaid in unsaid_of(kind)
    ]
