from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CustomersConfig(AppConfig):
    name = "customers"
    label = "customers"
    verbose_name = _("Customers")

    def ready(self) -> None:
        from customers.actions import (
            channel_rules,
            event_types,
            order_files,
            snapshots,
            stage_rules,
            tag_merging,
            tag_report,
            tag_rules,
            timeline_sources,
            value,
        )
        from customers.actions.arrivals import subscribe_arrivals
        from customers.actions.handover.jobs import register_handover
        from customers.actions.names import names_of_customers
        from customers.actions.pretags import give_pretags
        from customers.actions.sync import register_jobs
        from customers.handlers import subscribe_all
        from risk.actions.names import register_names

        subscribe_all()
        register_jobs()
        register_handover()
        channel_rules.register_jobs()
        stage_rules.register_jobs()
        tag_merging.register_jobs()
        tag_report.register_jobs()
        tag_rules.register_jobs()
        snapshots.register_jobs()
        event_types.register_jobs()
        order_files.register_jobs()
        timeline_sources.register_sources()
        value.register_jobs()
        subscribe_arrivals(give_pretags)
        register_names("customer", names_of_customers)
