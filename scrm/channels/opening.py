"""Opening the platform for a corp."""

from django.utils.translation import gettext as _

from scrm.channels.base import ArchiveSource, Channel
from scrm.channels.models import ArchiveKey
from scrm.channels.wecom.archive import ArchiveMissing, open_archive_of
from scrm.channels.wecom.channel import WeComChannel
from scrm.channels.wecom.client import client_of
from scrm.channels.wecom.media import MediaDesk
from scrm.tenancy.models import Corp


def open_channel(corp: Corp) -> Channel:
    """The channel as the corp's settings are now; cheap, nothing is asked yet.

    An unsaved corp will do: its settings are tried out before they are kept. Never use a channel
    inside a transaction.
    """
    return WeComChannel(
        directory=client_of(corp, corp.secret),
        contact=client_of(corp, corp.customer_secret),
        agent_id=corp.agent_id,
        media=MediaDesk(corp),
    )


def open_archive(corp: Corp) -> ArchiveSource:
    """The chat archive with the keys that are known now; never use it inside a transaction.

    Raises ArchiveMissing without an archive secret, SdkMissing at the real platform.
    """
    if not corp.archive_secret:
        raise ArchiveMissing(_("The corp has no archive secret: enter it with its other secrets."))
    keys = ArchiveKey.objects.for_corp(corp)
    return open_archive_of(
        client_of(corp, corp.archive_secret),
        base_url=corp.base_url,
        secret=corp.archive_secret,
        keys={key.version: key.private_key for key in keys},
    )
