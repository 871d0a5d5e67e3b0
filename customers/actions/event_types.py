"""What kinds of events there are, and what the data of each have to look like."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, best_match
from referencing.exceptions import Unresolvable
from referencing.jsonschema import EMPTY_REGISTRY

from customers.models import BrandEvent, EventType
from scrm.audit.actions.recording import Actor, record
from scrm.common.errors import FieldProblem, InvalidInput
from scrm.jobs.actions.running import Outcome, note_progress, register_job, start_job
from scrm.jobs.models import Job
from scrm.tenancy.models import Corp

REJUDGE = "events.rejudge"
MAX_SCHEMA = 64_000
_MAX_PROBLEM = 500
_CHUNK = 500


def register_jobs() -> None:
    register_job(REJUDGE, run_rejudging)


@transaction.atomic
def put_event_type(
    name: str, *, schema: Any, corp: Corp, actor: Actor, now: datetime
) -> tuple[EventType, Job | None, bool]:
    """Register a type or change its schema (JSON Schema, draft 2020-12), for events from now on.

    What stands in quarantine is judged anew by the job that is returned, if anything does; the last
    of the three says whether the type is new. Raises InvalidInput.
    """
    named = _check_name(name)
    _check_schema(schema)
    known = EventType.objects.for_corp(corp).select_for_update(no_key=True).filter(name=named)
    before = known.first()
    if before is not None and before.schema == schema:
        return before, None, False
    event_type, is_new = EventType.objects.update_or_create(
        corp=corp, name=named, defaults={"schema": schema, "updated_at": now}
    )
    verb = "created" if is_new else "changed"
    record(
        f"event_types.{verb}",
        actor=actor,
        corp=corp,
        subject=event_type,
        now=now,
        data={"name": named, "schema": schema},
    )
    held = BrandEvent.objects.quarantined().filter(corp=corp, type=named)
    job = start_rejudging(event_type, now=now) if held.exists() else None
    return event_type, job, is_new


def start_rejudging(event_type: EventType, *, now: datetime) -> Job:
    """Judge what stands in quarantine once more."""
    return start_job(REJUDGE, corp=event_type.corp, now=now, subject_id=str(event_type.pk))


def run_rejudging(job: Job, clock: Callable[[], datetime]) -> Outcome:
    """Go through the quarantined events of a type, chunk by chunk, each with the bookmark."""
    event_type = EventType.objects.for_corp(job.corp).get(pk=job.subject_id)
    held = BrandEvent.objects.quarantined().filter(corp=job.corp, type=event_type.name)
    state = {"after": 0, "released": 0, **job.state}
    total = job.done + held.filter(pk__gt=state["after"]).count()
    while True:
        with transaction.atomic():
            # The schema as it is now: it may be changed once more while this goes on.
            event_type.refresh_from_db()
            rows = held.filter(pk__gt=state["after"]).order_by("pk")
            chunk = list(rows.select_for_update(no_key=True)[:_CHUNK])
            if not chunk:
                break
            state["released"] += _judge(chunk, event_type)
            state["after"] = chunk[-1].pk
            note_progress(job, now=clock(), done=job.done + len(chunk), total=total, state=state)
    return Outcome({"judged": job.done, "released": state["released"]})


def schemas_of(names: set[str], *, corp: Corp) -> dict[str, EventType]:
    rows = EventType.objects.for_corp(corp).filter(name__in=names)
    return {event_type.name: event_type for event_type in rows}


def problem_of(data: Any, event_type: EventType | None) -> str:
    """Why the data do not fit the type, in the words of the schema; empty when they do.

    A type that nobody registered takes everything.
    """
    if event_type is None:
        return ""
    validator = _validator_of(json.dumps(event_type.schema, sort_keys=True))
    try:
        error = best_match(validator.iter_errors(data))
    except (Unresolvable, RecursionError) as trouble:
        return _("The schema cannot be applied: %(why)s") % {"why": str(trouble)[:200]}
    if error is None:
        return ""
    return f"{error.json_path}: {error.message}"[:_MAX_PROBLEM]


def _judge(events: list[BrandEvent], event_type: EventType) -> int:
    released = 0
    for event in events:
        event.problem = problem_of(event.data, event_type)
        if not event.problem:
            event.status = BrandEvent.Status.TAKEN
            released += 1
    BrandEvent.objects.bulk_update(events, ["status", "problem"])
    return released


@lru_cache(maxsize=256)
def _validator_of(schema: str) -> Draft202012Validator:
    # The registry is empty on purpose: the default one would fetch what a "$ref" names.
    return Draft202012Validator(json.loads(schema), registry=EMPTY_REGISTRY)


def _check_name(name: str) -> str:
    named = name.strip()
    if not 0 < len(named) <= 64 or not named.isprintable():
        message = _("Give a text of 1 to %(limit)d characters.") % {"limit": 64}
        raise InvalidInput(message, errors=(FieldProblem("/name", "invalid", message),))
    return named


def _check_schema(schema: Any) -> None:
    problem = next(_problems_of(schema), None)
    if problem is not None:
        path, message = problem
        raise InvalidInput(message, errors=(FieldProblem(path, "invalid_schema", message),))


def _problems_of(schema: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(schema, dict):
        yield "/schema", _("A schema is an object of JSON Schema.")
        return
    if len(json.dumps(schema, ensure_ascii=False)) > MAX_SCHEMA:
        yield "/schema", _("This is longer than %(limit)d characters.") % {"limit": MAX_SCHEMA}
        return
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        yield _pointer(error), _("This is no valid JSON Schema: %(why)s") % {"why": error.message}
    except RecursionError:
        yield "/schema", _("The JSON is nested too deeply.")
    if any(not str(ref).startswith("#") for ref in _references(schema)):
        yield "/schema", _("A schema refers only to parts of itself (#/…): nothing is fetched.")


def _pointer(error: SchemaError) -> str:
    steps = (str(step).replace("~", "~0").replace("/", "~1") for step in error.absolute_path)
    return "/".join(["/schema", *steps])


def _references(schema: Any) -> Iterator[Any]:
    waiting = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield from (
                node[key] for key in ("$ref", "$dynamicRef") if isinstance(node.get(key), str)
            )
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node
