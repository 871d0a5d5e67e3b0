from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CustomersConfig(AppConfig):
    name = "customers"
    label = "customers"
    verbose_name = _("Customers")

    def ready(self) -> None:
        from customers.actions import channel_rules, stage_rules, timeline_sources
        from customers.actions.handover.jobs import register_handover
        from customers.actions.names import names_of_customers
        from customers.actions.sync import register_jobs
        from customers.handlers import subscribe_all
        from risk.actions.names import register_names

        subscribe_all()
        register_jobs()
        register_handover()
        channel_rules.register_jobs()
        stage_rules.register_jobs()
        timeline_sources.register_sources()
        register_names("customer", names_of_customers)
