from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CampaignsConfig(AppConfig):
    name = "campaigns"
    label = "campaigns"
    verbose_name = _("Campaigns")

    def ready(self) -> None:
        from campaigns.actions import asking, cancelling, rejudging, results, tag_usage, timeline
        from campaigns.actions.sops import moving, outcomes, reading, stopping
        from customers.actions.blocking import subscribe_blocked
        from customers.actions.explaining import register_explainer
        from customers.actions.handover.taken_over import subscribe_taken_over
        from customers.actions.tag_usage import register_tag_usage
        from scrm.channels.kinds import register_preparation, subscribe_outcome
        from scrm.channels.operations import (
            ASK_MASS_MESSAGE,
            CANCEL_MASS_MESSAGE,
            SEND_APP_MESSAGE,
        )
        from scrm.jobs.actions.running import register_job

        register_preparation(ASK_MASS_MESSAGE, rejudging.prepare_request)
        subscribe_outcome(ASK_MASS_MESSAGE, asking.record_asked)
        subscribe_outcome(SEND_APP_MESSAGE, outcomes.note_told)
        subscribe_taken_over(moving.follow_taker)
        subscribe_blocked(stopping.leave_after_loss)
        register_explainer("sop", reading.explain_sop)
        subscribe_outcome(CANCEL_MASS_MESSAGE, cancelling.record_cancelled)
        register_job(results.REFRESH, results.run_refresh)
        register_job(cancelling.CANCEL, cancelling.run_cancel)
        register_tag_usage(tag_usage.tags_of_journeys)
        timeline.register_sources()
