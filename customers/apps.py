from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CustomersConfig(AppConfig):
    name = "customers"
    label = "customers"
    verbose_name = _("Customers")

    def ready(self) -> None:
        from customers.actions.sync import register_jobs
        from customers.handlers import subscribe_all

        subscribe_all()
        register_jobs()
