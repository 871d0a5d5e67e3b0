from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ChannelsConfig(AppConfig):
    name = "scrm.channels"
    label = "channels"
    verbose_name = _("Channel")

    def ready(self) -> None:
        from scrm.channels import checks  # noqa: F401 (registers the start-up checks)
        from scrm.channels.operations import register_operations

        register_operations()
