"""Planning a campaign: recipients, exclusions by reason and one sender each, beside bare SQL."""

from typing import Any

from benchmarks.harness import Case, execute, run, scale_corp

# Of the peer's rows: bulk_create of a million takes minutes and says no more.
PEER_ROWS = 20_000


def prepare(customers: int) -> Case:
    from django.utils import timezone

    from campaigns.actions import planning
    from campaigns.actions.audience import audience_of
    from campaigns.models import Campaign, Recipient
    from customers.models import Follow

    corp, now = scale_corp(customers), timezone.now()
    Campaign.objects.for_corp(corp).delete()
    campaign = Campaign.objects.create(
        corp=corp, name="Benchmark", content="Hello", created_at=now, rule={"all": []}
    )
    fresh = {"status": "planning", "planned_up_to": 0, "planned_at": None}

    def reset() -> None:
        execute("DELETE FROM campaigns_recipient WHERE campaign_id = %s", [campaign.pk])
        execute("DELETE FROM campaigns_task WHERE campaign_id = %s", [campaign.pk])
        Campaign.objects.filter(pk=campaign.pk).update(**fresh)
        execute("VACUUM campaigns_recipient")
        campaign.refresh_from_db()

    def ours() -> None:
        audience = audience_of(campaign, now=now)
        for upper in planning._chunk_ends(campaign, audience):
            planning._plan_chunk(campaign, audience, upper=upper, now=now)

    def limit() -> None:
        first, last = _bounds(corp)
        for lower in range(first - 1, last, planning.CHUNK):
            execute(_BARE, [corp.pk, campaign.pk, corp.pk, lower, lower + planning.CHUNK])

    def peer() -> None:
        rows = Follow.objects.for_corp(corp).live().values_list("customer_id", "staff_id")
        Recipient.objects.bulk_create(
            [
                Recipient(
                    corp=corp, campaign=campaign, customer_id=customer, staff_id=staff,
                    status="planned",
                )
                for customer, staff in rows[:PEER_ROWS]
            ],
            batch_size=1000,
        )  # fmt: skip

    return Case(limit, ours, peer, reset, peer_scale=customers / min(PEER_ROWS, customers))


_BARE = """
    INSERT INTO campaigns_recipient (corp_id, campaign_id, customer_id, staff_id, status, reason)
    SELECT %s, %s, f.customer_id, f.staff_id, 'planned', ''
    FROM customers_follow f
    WHERE f.corp_id = %s AND f.customer_id > %s AND f.customer_id <= %s AND f.status = 'live'
    ON CONFLICT (campaign_id, customer_id) DO NOTHING"""


def _bounds(corp: Any) -> tuple[int, int]:
    from django.db.models import Max, Min

    from customers.models import Customer

    bounds = Customer.objects.for_corp(corp).aggregate(first=Min("pk"), last=Max("pk"))
    return bounds["first"], bounds["last"]


def ratios(limit: float, ours: float, peer: float | None) -> dict[str, float]:
    return {"of_limit": limit / ours, "over_peer": (peer or 0) / ours}


if __name__ == "__main__":
    run("planning", prepare, ratios)
