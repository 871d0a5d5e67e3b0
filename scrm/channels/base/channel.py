"""The platform as one corp sees it, by groups of methods."""

from typing import Protocol

from scrm.channels.base.codes import Codes
from scrm.channels.base.contacts import Contacts
from scrm.channels.base.directory import Directory
from scrm.channels.base.groups import GroupChats
from scrm.channels.base.handover import Handover
from scrm.channels.base.media import Media
from scrm.channels.base.messages import Messages
from scrm.channels.base.moments import Moments
from scrm.channels.base.staff_messages import StaffMessages
from scrm.channels.base.tags import Tags
from scrm.channels.base.words import Words


class Channel(Protocol):
    """Every method of every group raises `ChannelError` or a subclass, and nothing else.

    The chat archive has a secret of its own and is an `ArchiveSource`.
    """

    @property
    def directory(self) -> Directory: ...
    @property
    def contacts(self) -> Contacts: ...
    @property
    def tags(self) -> Tags: ...
    @property
    def messages(self) -> Messages: ...
    @property
    def groups(self) -> GroupChats: ...
    @property
    def moments(self) -> Moments: ...
    @property
    def handover(self) -> Handover: ...
    @property
    def codes(self) -> Codes: ...
    @property
    def media(self) -> Media: ...
    @property
    def staff_messages(self) -> StaffMessages: ...
    @property
    def words(self) -> Words: ...
    def check_credentials(self) -> None:
        """Fetch a token; raises `ChannelError` that names the setting to change."""
