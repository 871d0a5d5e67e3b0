from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class GroupsConfig(AppConfig):
    name = "groups"
    label = "groups"
    verbose_name = _("Groups")

    def ready(self) -> None:
        from customers.actions.handover.belongings import register_belongings
        from customers.segments.fields import register_field
        from groups.actions.handover import OwnedChats
        from groups.actions.names import names_of_chats
        from groups.actions.segment_field import ChatField
        from groups.actions.sync import register_jobs
        from groups.actions.timeline import register_chat_names
        from groups.handlers import subscribe_all
        from risk.actions.names import register_names

        subscribe_all()
        register_belongings(OwnedChats())
        register_field("group_chat", ChatField())
        register_jobs()
        register_chat_names()
        register_names("chat", names_of_chats)
