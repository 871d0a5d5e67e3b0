"""WeCom as a `Channel`: one thin call per question, in the platform's own words."""

from scrm.channels.wecom.asking import CONTACT, Asker
from scrm.channels.wecom.client import WeComClient
from scrm.channels.wecom.codes import WeComCodes
from scrm.channels.wecom.contacts import WeComContacts
from scrm.channels.wecom.directory import WeComDirectory
from scrm.channels.wecom.files import WeComMedia
from scrm.channels.wecom.groups import WeComGroups
from scrm.channels.wecom.handover import WeComHandover
from scrm.channels.wecom.media import MediaDesk
from scrm.channels.wecom.messages import WeComMessages
from scrm.channels.wecom.moments import WeComMoments
from scrm.channels.wecom.staff_messages import WeComStaffMessages
from scrm.channels.wecom.tags import WeComTags
from scrm.channels.wecom.words import WeComWords


class WeComChannel:
    """The platform as one corp's apps see it: one reads the directory, one serves customers.

    wechatpy's own methods are not used: most are missing, some send a wrong body.
    """

    def __init__(
        self, directory: WeComClient, contact: WeComClient, *, agent_id: str, media: MediaDesk
    ) -> None:
        self._clients = [directory] if contact is directory else [directory, contact]
        app, customers = Asker(directory), Asker(contact, CONTACT)
        self.directory = WeComDirectory(app)
        self.contacts = WeComContacts(customers, Asker(contact))
        self.tags = WeComTags(customers)
        self.messages = WeComMessages(customers, media)
        self.groups = WeComGroups(customers)
        self.moments = WeComMoments(customers)
        self.handover = WeComHandover(customers)
        self.codes = WeComCodes(customers)
        self.media = WeComMedia(contact)
        self.staff_messages = WeComStaffMessages(app, agent_id=agent_id)
        self.words = WeComWords(customers)

    def check_credentials(self) -> None:
        for client in self._clients:
            client.check_credentials()
