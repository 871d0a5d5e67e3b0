"""How far this machine's clock is from the platform's."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import requests
from django.conf import settings

from scrm.channels.errors import Unreachable
from scrm.channels.wecom.client import is_loopback, unreachable_sentence


def clock_skew(base_url: str) -> timedelta | None:
    """This clock minus the platform's, to the second; None when the platform shows no clock.

    Asked without token or secret, so it is answered whatever is wrong with them. Raises
    Unreachable.
    """
    with requests.Session() as session:
        # A proxy of the environment is for the outer world.
        session.trust_env = not is_loopback(base_url)
        started = datetime.now(UTC)
        try:
            answer = session.head(
                base_url, timeout=settings.CHANNEL_TIMEOUTS, allow_redirects=False
            )
        except (requests.RequestException, ValueError) as error:
            raise Unreachable(unreachable_sentence(base_url)) from error
    middle = started + (datetime.now(UTC) - started) / 2
    shown = answer.headers.get("Date", "")
    try:
        return middle - parsedate_to_datetime(shown)
    except (TypeError, ValueError):
        return None
