"""Waking a worker for what has just come in; without it the next tick finds the rows."""

import logging
import time

from kombu.exceptions import OperationalError

from scrm.channels.tasks import wake_inbox

logger = logging.getLogger(__name__)

# One wake-up for many events: a task for each would halve what the door takes in.
_EVERY = 0.25
# A broker that is down is not tried again with each callback: every try costs its time limit.
_AFTER_FAILURE = 5.0
# The callback's answer waits for the broker, so the broker is given one try and one second;
# kombu itself would go on trying for longer than the platform waits for us.
_ONE_TRY = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}
_TIMEOUT = 1.0
# A wake-up that waited longer than two ticks is worth nothing.
_EXPIRES = 4

_next_at = 0.0


def wake_inbox_worker() -> None:
    """Ask for a worker, at most four times a second in each process."""
    global _next_at  # noqa: PLW0603
    now = time.monotonic()
    if now < _next_at:
        return
    _next_at = now + _EVERY
    try:
        _send_wake_up()
    except (OperationalError, OSError):
        # The event is stored; the tick handles it within two seconds.
        logger.warning("The broker cannot be reached to wake a worker", exc_info=True)
        _next_at = now + _AFTER_FAILURE


def _send_wake_up() -> None:
    with wake_inbox.app.connection_for_write() as connection:
        connection.connect_timeout = _TIMEOUT
        connection.transport_options = {**(connection.transport_options or {}), **_ONE_TRY}
        with connection.Producer() as producer:
            wake_inbox.apply_async(
                queue="callbacks", expires=_EXPIRES, retry=False, producer=producer
            )
