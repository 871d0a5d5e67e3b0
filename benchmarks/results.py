"""Writing what became of a campaign: one UPDATE per task, beside COPY and one UPDATE."""

from benchmarks.harness import Case, execute, run, scale_corp

PEER_ROWS = 2_000


def prepare(customers: int) -> Case:
    from django.db import connection
    from django.utils import timezone

    from campaigns.actions import planning
    from campaigns.actions.audience import audience_of
    from campaigns.actions.polling import write_deliveries
    from campaigns.models import Campaign, Recipient, Task
    from scrm.channels.base import Delivery

    corp, now = scale_corp(customers), timezone.now()
    Campaign.objects.for_corp(corp).delete()
    campaign = Campaign.objects.create(
        corp=corp, name="Benchmark", content="Hello", created_at=now, rule={"all": []}
    )
    planning.insert_recipients(campaign, audience_of(campaign, now=now))
    tasks = list(Task.objects.filter(campaign=campaign))
    said = {
        task.pk: [
            Delivery(external_userid, 1 + number % 3, now)
            for number, external_userid in enumerate(
                task.recipients.values_list("customer__external_userid", flat=True)
            )
        ]
        for task in tasks
    }
    everything = [(each.recipient_id, each.status) for rows in said.values() for each in rows]
    reached = {1: "delivered", 2: "not_friend", 3: "quota"}

    def reset() -> None:
        execute(
            "UPDATE campaigns_recipient SET status = 'confirmed' WHERE campaign_id = %s",
            [campaign.pk],
        )
        execute("VACUUM ANALYZE campaigns_recipient")

    def ours() -> None:
        for task in tasks:
            write_deliveries(task, said[task.pk], now=now)

    def limit() -> None:
        with connection.cursor() as cursor:
            cursor.execute("CREATE TEMP TABLE said (external_userid text, status text)")
            with cursor.copy("COPY said FROM STDIN") as copy:
                for external_userid, status in everything:
                    copy.write_row((external_userid, reached[status]))
            cursor.execute(
                "UPDATE campaigns_recipient r SET status = s.status, settled_at = %s"
                " FROM said s JOIN customers_customer c USING (external_userid)"
                " WHERE c.corp_id = %s AND r.campaign_id = %s AND r.customer_id = c.id",
                [now, corp.pk, campaign.pk],
            )
            cursor.execute("DROP TABLE said")

    def peer() -> None:
        for external_userid, status in everything[:PEER_ROWS]:
            Recipient.objects.filter(
                campaign=campaign, customer__corp=corp, customer__external_userid=external_userid
            ).update(status=reached[status], settled_at=now)

    return Case(limit, ours, peer, reset, peer_scale=len(everything) / PEER_ROWS)


def ratios(limit: float, ours: float, peer: float | None) -> dict[str, float]:
    return {"of_limit": limit / ours, "over_peer": (peer or 0) / ours}


if __name__ == "__main__":
    run("results", prepare, ratios)
