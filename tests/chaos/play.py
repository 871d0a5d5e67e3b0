"""One storm from the first sync to the verdict."""

import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any

from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.db.models import DateTimeField, F
from django.utils import timezone

from campaigns.actions.results import refresh_campaign
from campaigns.models import Campaign, Task
from customers.actions.handover.polling import refresh_plan
from customers.models import HandoverItem, HandoverPlan
from groups.actions.reconciling import reconciled_by
from groups.actions.sync import start_sync
from scrm.audit.actions.recording import SYSTEM
from scrm.channels.models import InboundEvent, Operation, Refresh
from scrm.dashboard.actions.connecting import connect_corp
from scrm.demo.stage import free_port
from scrm.jobs.actions.installing import install_ticks
from scrm.jobs.models import Job
from scrm.processes import Supervisor
from scrm.sandbox.generate import build_world
from scrm.sandbox.handovers import TransferStatus
from scrm.sandbox.options import Options
from scrm.sandbox.server import SandboxServer
from scrm.tenancy.actions.api_keys import create_api_key
from scrm.tenancy.actions.corps import CorpSettings
from scrm.tenancy.models import Corp
from tests.chaos.ground import Ground
from tests.chaos.office import Office, patiently
from tests.chaos.people import Crowd
from tests.chaos.verdict import Verdict
from tests.chaos.weather import Weather

WORKERS = 2
# Whoever's call died with its process waits a minute until it counts as abandoned.
OFFICE_HANDS = 12
# Seconds until an asked customer has his new member; a day on the platform.
TAKEOVER = 8.0
# Of a busy machine; a quiet one needs less than a minute.
QUIET_WITHIN = 240.0
# Leases of readings (five minutes), of jobs (two), pauses of endpoints: so long nothing runs after
# the storm, as the clocks on the rows have it.
NIGHT = timedelta(minutes=15)
# What says when something goes on; every other time is a fact and stays.
APPOINTMENTS = {"next_attempt_at", "lease_until", "due_at", "next_poll_at", "until"}
ENVIRONMENT = {"SCRM_CHANNEL_TIMEOUT": "3", "SCRM_OUTBOX_LEASE": "10", "SCRM_API_RATE": "6000/min"}


class StillBusy(Exception):
    """The weather is clear, and the product does not come to rest."""


@dataclass(frozen=True)
class Outcome:
    """What the storm did, what was done in it, and in what the two sides differ."""

    words: str
    survived: dict[str, int]
    figures: dict[str, int]
    disagreements: list[str]
    seed: int
    seconds: int

    @property
    def line(self) -> str:
        def listed(counts: dict[str, int]) -> str:
            return ", ".join(f"{name} {count}" for name, count in counts.items())

        end = f"{len(self.disagreements)} disagreements" if self.disagreements else "all agree"
        return (
            f"storm {self.seed}, {self.seconds} s with its calm, on {self.words}: "
            f"{listed(self.survived)} | {listed(self.figures)} | {end}"
        )

    def as_json(self) -> dict[str, Any]:
        return {"ok": not self.disagreements, "line": self.line, **vars(self)}


def play(ground: Ground, *, seed: int, seconds: float) -> Outcome:
    """Storm for so many seconds, let it clear, and compare."""
    began = time.monotonic()
    call_command("migrate", verbosity=0, interactive=False)
    install_ticks()
    ground.empty_broker()
    dice = random.Random(seed)
    options = Options(takeover_seconds=TAKEOVER, callback_retry_spacing=0.5)
    world = build_world(seed, staff=9, customers=140, groups=12, options=options)
    port = free_port()
    with SandboxServer(world) as sandbox:
        with _product(port) as supervisor:
            corp, office = _open_for_business(supervisor, sandbox, dice)
            crowd = Crowd(
                sandbox,
                dice=random.Random(dice.random()),
                kept_tags={tag.wecom_id for tag in office.tags},
            )
            weather = Weather(supervisor, ground=ground, sandbox=sandbox, dice=dice)
            _rage(weather, office, crowd, seconds=seconds)
        _let_the_night_pass()
        with _product(port) as supervisor:
            _come_to_rest(corp, sandbox)
        verdict = Verdict(corp, sandbox=sandbox, wishes=office.wishes)
        found = [f"the product refused: {line}" for line in _unexpected(office.wishes.refused)]
        found += verdict.disagreements()
        survived = dict(sorted((weather.struck + _struck_there(sandbox)).items()))
        figures = {
            "people's acts": crowd.acts,
            "calls repeated by the office": office.wishes.repeated_calls,
            **verdict.figures,
        }
    ground.empty_broker()
    lasted = round(time.monotonic() - began)
    return Outcome(ground.words, survived, figures, found, seed, lasted)


@contextmanager
def _product(port: int) -> Iterator[Supervisor]:
    with Supervisor(port=port, env=ENVIRONMENT, workers=WORKERS, say=_tell) as supervisor:
        supervisor.wait_ready()
        yield supervisor


def _tell(line: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")


def _open_for_business(
    supervisor: Supervisor, sandbox: SandboxServer, dice: random.Random
) -> tuple[Corp, Office]:
    given = sandbox.credentials
    typed = CorpSettings(
        corp_id=given.corp_id,
        name="Storm",
        secret=given.secret,
        agent_id=str(given.agent_id),
        callback_token=given.callback_token,
        callback_aes_key=given.callback_aes_key,
        base_url=sandbox.base_url,
    )
    corp = connect_corp(typed, actor=SYSTEM, now=timezone.now())
    _key, text = create_api_key("office", corp=corp, scopes=["*"], now=timezone.now())
    sandbox.callbacks.configure(f"{supervisor.url}/wecom/callback/{corp.corp_id}/")
    job = start_sync(corp, now=timezone.now())
    _wait(lambda: _is_done(job), what="the first sync")
    office_dice = random.Random(dice.random())
    return corp, Office(supervisor.url, text, corp=corp, sandbox=sandbox, dice=office_dice)


def _rage(weather: Weather, office: Office, crowd: Crowd, *, seconds: float) -> None:
    """Everybody is at it in a thread; whoever fails fails the storm."""
    stopping = threading.Event()
    failures: list[BaseException] = []

    def run(part: Callable[..., None], *arguments: Any, **keywords: Any) -> threading.Thread:
        def work() -> None:
            try:
                part(*arguments, **keywords)
            except BaseException as error:  # noqa: BLE001 — raised again below
                failures.append(error)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        return thread

    crews = [
        run(weather.strike_processes, stopping, seconds=seconds),
        run(weather.strike_platform, stopping),
        run(weather.strike_callbacks, stopping),
        run(crowd.live, stopping),
        *(run(office.work, stopping) for _ in range(OFFICE_HANDS)),
        run(office.hand_over, stopping, seconds=seconds),
    ]
    stopping.wait(seconds)
    stopping.set()
    weather.calm()
    _tell("the weather clears")
    for crew in crews:
        crew.join()
    _tell("the office has all its answers")
    weather.calm()
    if failures:
        raise failures[0]


def _let_the_night_pass() -> None:
    """Nothing runs for a while: whatever was put off or claimed by the dead is due afterwards."""
    connection.close()
    for model in apps.get_models():
        names = {
            field.name
            for field in model._meta.get_fields()
            if isinstance(field, DateTimeField) and field.name in APPOINTMENTS
        }
        if names and not model._meta.proxy and model._meta.app_label in _OURS:
            patiently(
                lambda model=model, names=names: model._default_manager.update(  # type: ignore[misc]
                    **{name: F(name) - NIGHT for name in names}
                )
            )


_OURS = {"channels", "jobs", "customers", "groups", "campaigns"}


def _come_to_rest(corp: Corp, sandbox: SandboxServer) -> None:
    """What is under way comes to its end; then the night's comparison, and a look at every result."""
    _tell("morning")
    sandbox.callbacks.drain(timeout=60)
    _tell("drained")
    _wait(lambda: _is_quiet(corp, sandbox), what="quiet")
    _tell("quiet")
    for plan in HandoverPlan.objects.for_corp(corp).executing():
        _wait_for_plan(plan)
    _tell("handovers are over")
    for _look in range(2):
        job = start_sync(corp, now=timezone.now())
        _wait(lambda job=job: _is_done(job), what="the nightly sync")  # type: ignore[misc]
        job.refresh_from_db()
        if reconciled_by(job).is_right:
            break
    sandbox.callbacks.drain(timeout=60)
    _wait(lambda: _is_quiet(corp, sandbox), what="quiet after the sync")
    _tell("synced")
    jobs = [refresh_campaign(c, now=timezone.now()) for c in _campaigns(corp)]
    for job in jobs:
        _wait(lambda job=job: _is_done(job), what="the results")  # type: ignore[misc]
    _wait(lambda: _is_quiet(corp, sandbox), what="quiet at the end")
    _tell("results are read")


def _wait_for_plan(plan: HandoverPlan) -> None:
    """Look until everybody is settled; those whose taker was full are asked of the next."""
    open_items = HandoverItem.objects.filter(plan=plan).open()
    deadline = time.monotonic() + QUIET_WITHIN
    while open_items.exists():
        if time.monotonic() > deadline:
            rows = list(open_items.values_list("pk", "status", "errcode", "reason"))
            raise StillBusy(f"plan {plan.pk}: {rows}")
        job = refresh_plan(plan, now=timezone.now())
        _wait(lambda job=job: _is_done(job), what="what became of the handover")  # type: ignore[misc]
        time.sleep(1)


def _campaigns(corp: Corp) -> list[Campaign]:
    asked = Task.objects.for_corp(corp).asked().values("campaign")
    return list(Campaign.objects.filter(pk__in=asked))


def _is_quiet(corp: Corp, sandbox: SandboxServer) -> bool:
    return not any(_under_way(corp, sandbox).values())


def _under_way(corp: Corp, sandbox: SandboxServer) -> dict[str, int]:
    transfers = sandbox.world.handovers.transfers
    return {
        "events": InboundEvent.objects.for_corp(corp).filter(status="received").count(),
        "readings": Refresh.objects.for_corp(corp).count(),
        "operations": Operation.objects.for_corp(corp)
        .filter(status__in=Operation.UNFINISHED)
        .count(),
        "campaigns": Campaign.objects.for_corp(corp)
        .filter(status__in=["scheduled", "planning"])
        .count(),
        "requests": Task.objects.for_corp(corp)
        .filter(status="planned", campaign__status__in=["asked", "partly_confirmed"])
        .exclude(operation__status="parked")
        .count(),
        "items": HandoverItem.objects.for_corp(corp)
        .filter(status__in=["planned", "asked"], plan__status="executing")
        .count(),
        "jobs": Job.objects.for_corp(corp)
        .filter(status__in=["queued", "running"])
        .exclude(kind__startswith="handover")
        .count(),
        "transfers": sum(each.status == TransferStatus.WAITING for each in transfers),
    }


def _is_done(job: Job) -> bool:
    job.refresh_from_db()
    return job.is_finished


def _wait(is_so: Callable[[], bool], *, what: str) -> None:
    deadline = time.monotonic() + QUIET_WITHIN
    while not patiently(is_so):
        if time.monotonic() > deadline:
            raise StillBusy(f"No {what} within {QUIET_WITHIN:.0f} s; unfinished: {_unfinished()}")
        time.sleep(0.3)


def _unfinished() -> list[str]:
    """What keeps it from being quiet, for the reader of the failure."""
    operations = Operation.objects.filter(status__in=Operation.UNFINISHED)[:10]
    jobs = Job.objects.filter(status__in=["queued", "running"])
    items = HandoverItem.objects.open()[:10]
    events = InboundEvent.objects.filter(status="received")[:10]
    return [
        *(f"{each} from {each.next_attempt_at}: {each.error}" for each in operations),
        *(f"{each} from {each.due_at}" for each in jobs),
        *(str(each) for each in items),
        *(f"{each} from {each.next_attempt_at}: {each.error}" for each in events),
        *(f"{each} from {each.due_at}: {each.error}" for each in Refresh.objects.all()[:10]),
    ]


def _unexpected(refused: list[str]) -> list[str]:
    """A campaign may be over before it is cancelled, nothing else may be refused."""
    return [line for line in refused if "/cancel/" not in line]


def _struck_there(sandbox: SandboxServer) -> Counter[str]:
    """The faults of the platform and its callbacks that truly struck, by its own ledger."""
    counts: Counter[str] = Counter()
    for entry in sandbox.entries("fault"):
        kind = entry.kind.removeprefix("fault.").replace("_", " ")
        counts[f"errcode {entry.data['value']}" if kind == "fail" else kind] += 1
    delivered = [e.data["emitted"] for e in sandbox.entries("callback.delivered")]
    counts["callbacks retried"] = sum(
        entry.data["attempt"] > 1 for entry in sandbox.entries("callback.attempt")
    )
    counts["callbacks delivered twice"] = len(delivered) - len(set(delivered))
    counts["callbacks in another order"] = sum(
        later < earlier for earlier, later in pairwise(delivered)
    )
    counts["callbacks never told"] = len(sandbox.entries("callback.dropped"))
    counts["callbacks given up"] = len(sandbox.entries("callback.given_up"))
    return +counts
