from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CampaignsConfig(AppConfig):
    name = "campaigns"
    label = "campaigns"
    verbose_name = _("Campaigns")

    def ready(self) -> None:
        from campaigns.actions import asking, cancelling, results
        from scrm.channels.kinds import subscribe_outcome
        from scrm.channels.operations import ASK_MASS_MESSAGE, CANCEL_MASS_MESSAGE
        from scrm.jobs.actions.running import register_job

        subscribe_outcome(ASK_MASS_MESSAGE, asking.record_asked)
        subscribe_outcome(CANCEL_MASS_MESSAGE, cancelling.record_cancelled)
        register_job(results.REFRESH, results.run_refresh)
        register_job(cancelling.CANCEL, cancelling.run_cancel)
