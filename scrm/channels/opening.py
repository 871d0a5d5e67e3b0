"""Opening the platform for a corp."""

from scrm.channels.base import Channel
from scrm.channels.wecom.channel import WeComChannel
from scrm.channels.wecom.client import client_of
from scrm.tenancy.models import Corp


def open_channel(corp: Corp) -> Channel:
    """The channel as the corp's settings are now; cheap, nothing is asked yet.

    An unsaved corp will do: its settings are tried out before they are kept. Never use a channel
    inside a transaction.
    """
    return WeComChannel(
        directory=client_of(corp, corp.secret), contact=client_of(corp, corp.customer_secret)
    )
