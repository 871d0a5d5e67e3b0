from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RiskConfig(AppConfig):
    name = "risk"
    label = "risk"
    verbose_name = _("Risk")

    def ready(self) -> None:
        from risk.handlers import subscribe_all

        subscribe_all()
