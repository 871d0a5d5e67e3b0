from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class GroupsConfig(AppConfig):
    name = "groups"
    label = "groups"
    verbose_name = _("Groups")

    def ready(self) -> None:
        from groups.actions.sync import register_jobs
        from groups.handlers import subscribe_all

        subscribe_all()
        register_jobs()
