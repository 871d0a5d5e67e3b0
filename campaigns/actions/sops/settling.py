"""Writing down what became of runs, many in one statement."""

from datetime import datetime

from django.db import connection

from campaigns.actions.sops.guards import Runs
from campaigns.models import StepRun


def settle_runs(
    runs: Runs, status: StepRun.Status, reason: str, *, now: datetime, detail: str = ""
) -> None:
    """Close runs that the caller has claimed."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE campaigns_steprun SET status = %s, reason = %s, detail = %s, settled_at = %s"
            " WHERE id = ANY(%s)",
            [status, reason, detail, now, runs.ids],
        )


def postpone_runs(runs: Runs, *, until: datetime | None) -> None:
    """Look at claimed runs again later; None: when their SOP is resumed."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE campaigns_steprun SET look_at = %s WHERE id = ANY(%s)", [until, runs.ids]
        )


def move_runs(runs: Runs, *, due_at: datetime) -> None:
    """Have claimed runs due later, as quiet hours do: what waited for them is not late."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE campaigns_steprun SET due_at = %(due)s, look_at = %(due)s WHERE id = ANY(%(runs)s)",
            {"due": due_at, "runs": runs.ids},
        )
