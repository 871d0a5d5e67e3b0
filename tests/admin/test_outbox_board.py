"""Above the outbox: what is not over, what the budget is, what pauses."""

from datetime import timedelta

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from scrm.channels.models import ApiUsage, EndpointPause, Operation
from scrm.tenancy.models import Corp
from tests.admin.conftest import Enter, speak
from tests.admin.rows import make_operation
from tests.admin.test_scope import page
from tests.factories import make_corp

LIST = page(Operation, "changelist")


def use(corp: Corp, endpoint: str = "externalcontact/remark", **fields: object) -> None:
    now = timezone.now()
    minute = now.replace(second=0, microsecond=0)
    defaults = {"day": timezone.localdate(now), "calls": 7, "minute": minute, "minute_calls": 5}
    ApiUsage.objects.create(corp=corp, endpoint=endpoint, **defaults | fields)


def test_counts_what_is_not_over_by_kind(lin: Client, corp: Corp) -> None:
    statuses = ["parked", "parked", "unknown", "pending", "succeeded"]
    for number, status in enumerate(statuses):
        make_operation(corp, number, status=status, kind="change_remark", error="")
    make_operation(corp, 9, status="pending", kind="change_remark", error="busy")

    (queue,) = lin.get(LIST).context["board"].queues

    assert (queue.waiting, queue.failing, queue.unknown, queue.parked) == (2, 1, 1, 2)
    assert queue.endpoints == ("externalcontact/remark",)


def test_shows_how_much_of_the_budget_is_used(lin: Client, corp: Corp) -> None:
    use(corp, calls=12_345, minute_calls=2_500)
    use(corp, "externalcontact/get", minute=timezone.now() - timedelta(minutes=9))

    answer = speak(lin, "en").get(LIST)

    text = answer.content.decode()
    assert "12,345" in text
    assert "2,500 of 10,000" in text
    assert "width:25%" in text
    assert [budget.this_minute for budget in answer.context["board"].budgets] == [2_500, 0]


def test_says_what_pauses_until_when_and_why(lin: Client, corp: Corp) -> None:
    until = timezone.now() + timedelta(minutes=3)
    pauses = {"corp": corp, "errcode": 45009, "error": "The limit of calls is reached."}
    EndpointPause.objects.create(kind="change_remark", until=until, **pauses)
    EndpointPause.objects.create(kind="tag_customer", until=timezone.now(), **pauses)

    answer = speak(lin, "en").get(LIST)

    assert [pause.until for pause in answer.context["board"].pauses] == [until]
    assert "The limit of calls is reached." in answer.content.decode()


def test_shows_a_brand_s_people_their_own_only(enter: Enter, corp: Corp) -> None:
    for each in (corp, make_corp()):
        make_operation(each)
        use(each)

    board = enter("wang", corp=corp).get(LIST).context["board"]

    assert (len(board.queues), len(board.budgets)) == (1, 1)
    assert not board.has_many_corps


def test_needs_as_many_queries_for_many_corps_and_kinds(lin: Client, corp: Corp) -> None:
    make_operation(corp)
    use(corp)
    lin.get(LIST)
    with CaptureQueriesContext(connection) as few:
        lin.get(LIST)
    for number in range(5):
        other = make_corp()
        use(other)
        EndpointPause.objects.create(corp=other, kind="x", until=timezone.now() + timedelta(days=1))
        for kind in ("change_remark", "tag_customer"):
            make_operation(other, 2 * number, kind=kind, status="pending", idempotency_key=kind)

    with CaptureQueriesContext(connection) as many:
        lin.get(LIST)

    assert len(many) == len(few) <= 16


def test_secrets_are_masked(lin: Client, corp: Corp) -> None:
    payload = {"welcome_code": "CODE1", "deep": [{"access_token": "TOKEN1"}], "remark": "hello"}
    operation = make_operation(corp, payload=payload, result={"secret": "SECRET1"})

    text = lin.get(page(Operation, "change", operation.pk)).content.decode()

    assert "hello" in text
    assert "••••" in text
    assert not [each for each in ("CODE1", "TOKEN1", "SECRET1") if each in text]
