"""Events as a brand tells them: typed, once, in quarantine when they do not fit."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from customers.actions.brand_events import MAX_ROWS, EventAnswer, take_events
from customers.actions.event_types import put_event_type, start_rejudging
from customers.actions.timeline import timeline_of
from customers.models import BrandEvent, Customer, EventType, TimelineEntry
from scrm.audit.actions.recording import SYSTEM
from scrm.audit.models import AuditEntry
from scrm.common.errors import InvalidInput
from scrm.jobs.actions.running import run_due_jobs
from scrm.jobs.models import Job
from scrm.tenancy.models import Corp
from tests.factories import NOW, make_brand_event, make_corp, make_customer, make_event_type

BASKET = {
    "type": "object",
    "required": ["sku"],
    "properties": {"sku": {"type": "string"}, "count": {"$ref": "#/$defs/count"}},
    "$defs": {"count": {"type": "integer", "minimum": 1}},
}


def row(**fields: Any) -> dict[str, Any]:
    return {
        "event_id": "e1",
        "type": "basket",
        "occurred_at": (NOW - timedelta(days=40)).isoformat(),
        "external_userid": "wm1",
        "data": {"sku": "A"},
    } | fields


def take(corp: Corp, *rows: dict[str, Any], **options: Any) -> list[EventAnswer]:
    return take_events(rows, corp=corp, actor=SYSTEM, now=NOW, **options)


def outcomes(answers: list[EventAnswer]) -> list[str]:
    return [answer.outcome for answer in answers]


def register(corp: Corp, schema: Any = BASKET, name: str = "basket") -> EventType:
    event_type, _job, _is_new = put_event_type(
        name, schema=schema, corp=corp, actor=SYSTEM, now=NOW
    )
    return event_type


@pytest.fixture
def wang(corp: Corp) -> Customer:
    return make_customer(corp, external_userid="wm1")


def test_a_type_that_nobody_registered_takes_everything(corp: Corp, wang: Customer) -> None:
    (answer,) = take(corp, row(data={"anything": [1, None]}))

    event = BrandEvent.objects.get()
    assert (answer.outcome, answer.matched) == ("taken", True)
    assert (event.customer, event.data, event.status) == (wang, {"anything": [1, None]}, "taken")


@pytest.mark.parametrize(
    ("data", "where"),
    [({}, "'sku'"), ({"sku": 1}, "$.sku"), ({"sku": "A", "count": 0}, "$.count")],
)
def test_what_does_not_fit_its_type_is_put_aside_with_why(
    corp: Corp, wang: Customer, data: dict[str, Any], where: str
) -> None:
    register(corp)

    (answer,) = take(corp, row(data=data))

    event = BrandEvent.objects.get()
    assert answer.outcome == event.status == "quarantined"
    assert where in answer.problem == event.problem
    assert timeline_of(wang).entries == []


def test_what_fits_its_type_is_on_the_timeline_and_sets_nothing_off(
    corp: Corp, wang: Customer
) -> None:
    register(corp)

    take(corp, row(data={"sku": "A", "count": 2}))

    (entry,) = timeline_of(wang).entries
    assert (entry.type, entry.at) == ("event.received", NOW - timedelta(days=40))
    assert entry.data == {"event_id": "e1", "type": "basket"}
    assert not TimelineEntry.objects.exists()


def test_an_event_that_is_told_again_is_a_duplicate(corp: Corp, wang: Customer) -> None:
    take(corp, row())

    (again,) = take(corp, row(data={"sku": "B"}))

    assert (again.outcome, again.matched) == ("duplicate", True)
    assert BrandEvent.objects.get().data == {"sku": "A"}


def test_of_one_id_twice_in_a_batch_the_first_counts(corp: Corp, wang: Customer) -> None:
    answers = take(corp, row(), row(data={"sku": "B"}))

    assert outcomes(answers) == ["taken", "duplicate"]
    assert BrandEvent.objects.get().data == {"sku": "A"}


def test_a_quarantined_event_that_is_told_anew_and_fits_is_taken(
    corp: Corp, wang: Customer
) -> None:
    register(corp)
    take(corp, row(data={}))

    assert outcomes(take(corp, row(data={}))) == ["duplicate"]
    assert outcomes(take(corp, row(data={"sku": "A"}))) == ["taken"]
    event = BrandEvent.objects.get()
    assert (event.status, event.problem, event.data) == ("taken", "", {"sku": "A"})


def test_a_mended_schema_releases_what_fits_now(corp: Corp, wang: Customer) -> None:
    register(corp, BASKET | {"required": ["sku", "count"]})
    take(corp, row(), row(event_id="e2", data={"sku": 1}))

    register(corp)
    run_due_jobs(clock=lambda: NOW)

    assert dict(BrandEvent.objects.values_list("event_id", "status")) == {
        "e1": "taken",
        "e2": "quarantined",
    }
    assert Job.objects.get().report == {"judged": 2, "released": 1}
    assert "$.sku" in BrandEvent.objects.get(event_id="e2").problem


def test_judging_anew_goes_on_where_it_was_left(corp: Corp, wang: Customer) -> None:
    event_type = register(corp, {})
    events = [make_brand_event(corp, type="basket", status="quarantined") for _ in range(3)]
    job = start_rejudging(event_type, now=NOW)
    Job.objects.filter(pk=job.pk).update(state={"after": events[0].pk, "released": 1}, done=1)

    run_due_jobs(clock=lambda: NOW)

    assert Job.objects.get().report == {"judged": 3, "released": 3}
    events[0].refresh_from_db()
    assert events[0].status == "quarantined"


def test_registering_the_same_again_changes_nothing(corp: Corp) -> None:
    register(corp)
    register(corp)

    assert list(AuditEntry.objects.values_list("action", flat=True)) == ["event_types.created"]


@pytest.mark.parametrize(
    "schema",
    [
        None,
        [],
        "x",
        {"type": "nothing"},
        {"properties": {"a": {"minimum": "1"}}},
        {"$ref": "https://elsewhere.example/schema.json"},
        {"properties": {"a": {"$ref": "file:///etc/passwd"}}},
        {"description": "x" * 70_000},
        {"pattern": "("},
    ],
)
def test_refuses_what_is_no_schema_or_leads_elsewhere(corp: Corp, schema: Any) -> None:
    with pytest.raises(InvalidInput) as refusal:
        register(corp, schema)

    assert refusal.value.errors[0].path.startswith("/schema")
    assert not EventType.objects.exists()


@pytest.mark.parametrize("schema", [{"$ref": "#/$defs/missing"}, {"$ref": "#"}])
def test_a_schema_that_cannot_be_applied_puts_aside_and_says_so(
    corp: Corp, wang: Customer, schema: Any
) -> None:
    register(corp, schema)

    (answer,) = take(corp, row())

    assert answer.outcome == "quarantined"
    assert answer.problem


@pytest.mark.parametrize(
    ("fields", "path", "code"),
    [
        ({"event_id": None}, "/event_id", "required"),
        ({"event_id": "x" * 129}, "/event_id", "invalid"),
        ({"type": ""}, "/type", "invalid"),
        ({"occurred_at": "yesterday"}, "/occurred_at", "invalid"),
        ({"occurred_at": None}, "/occurred_at", "required"),
        ({"occurred_at": (NOW + timedelta(days=2)).isoformat()}, "/occurred_at", "in_future"),
        ({"data": []}, "/data", "invalid"),
        ({"data": {"a": "\x00"}}, "/data", "invalid_character"),
        ({"data": {"a": "\ud800"}}, "/data", "invalid_character"),
        ({"data": {"a": "x" * 40_000}}, "/data", "too_long"),
        ({"external_userid": None}, "/external_userid", "required"),
        ({"phone": "1.38E+10"}, "/phone", "shortened_number"),
        ({"extra": 1}, "/extra", "unknown"),
    ],
)
def test_says_what_is_wrong_and_where(
    corp: Corp, wang: Customer, fields: dict[str, Any], path: str, code: str
) -> None:
    wrong, right = take(corp, row(**fields), row(event_id="e2"))

    assert wrong.outcome == "refused"
    assert (path, code) in {(problem.path, problem.code) for problem in wrong.errors}
    assert right.outcome == "taken"
    assert BrandEvent.objects.get().event_id == "e2"


def test_text_that_only_looks_like_nul_is_taken(corp: Corp, wang: Customer) -> None:
    (answer,) = take(corp, row(data={"sku": "\\u0000"}))

    assert answer.outcome == "taken"
    assert BrandEvent.objects.get().data == {"sku": "\\u0000"}


def test_refuses_more_than_a_batch(corp: Corp) -> None:
    with pytest.raises(InvalidInput):
        take(corp, *[row(event_id=str(number)) for number in range(MAX_ROWS + 1)])


def test_a_dry_run_says_the_same_and_writes_nothing(corp: Corp, wang: Customer) -> None:
    register(corp)

    answers = take(corp, row(), row(event_id="e2", data={}), dry_run=True)

    assert outcomes(answers) == ["taken", "quarantined"]
    assert not BrandEvent.objects.exists()


def test_five_hundred_rows_take_as_many_statements_as_one(corp: Corp, wang: Customer) -> None:
    register(corp)

    def statements(first: int, count: int) -> int:
        rows = [row(event_id=f"e{number}") for number in range(first, first + count)]
        with CaptureQueriesContext(connection) as queries:
            take(corp, *rows)
        return len(queries)

    assert statements(1000, 500) == statements(1, 1) <= 8


def test_types_are_each_corp_s_own(corp: Corp, wang: Customer) -> None:
    make_event_type(make_corp(), "basket", schema=BASKET)

    assert outcomes(take(corp, row(data={}))) == ["taken"]


def test_events_wait_for_people_and_count_when_they_are_known(corp: Corp) -> None:
    (answer,) = take(corp, row(external_userid=None, member_id="M1"))

    assert (answer.outcome, answer.matched) == ("taken", False)
    event = BrandEvent.objects.get()
    assert event.customer is None
    assert event.awaited_kind == "member_id"
