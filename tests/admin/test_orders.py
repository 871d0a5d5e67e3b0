"""Orders, events and identities in the admin: found, masked, taken in from a file, moved."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from customers.models import BrandEvent, Customer, EventType, Identity, Order
from scrm.jobs.actions.running import run_due_jobs
from scrm.jobs.models import Job
from scrm.tenancy.models import Corp
from tests.admin.conftest import Enter, speak
from tests.admin.test_scope import page
from tests.factories import (
    NOW,
    make_brand_event,
    make_customer,
    make_department,
    make_event_type,
    make_identity,
    make_order,
    make_staff,
)

UPLOAD = "/admin/customers/order/upload/"
PRESSED = {"_form_submitted": "True"}
PHONE = "13812345678"
CONTENT = f"店铺,订单号,状态,金额,手机号\n旗舰店,A1,已完成,12.5,{PHONE}\n旗舰店,1.2E+29,已完成,1,{PHONE}\n"


@pytest.fixture(autouse=True)
def _storage(tmp_path: Any, settings: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def wang(corp: Corp) -> Customer:
    customer = make_customer(corp, staff=make_staff(corp), name="Wang")
    make_identity(customer, "phone", PHONE)
    return customer


def file(content: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile("orders.csv", content, content_type="text/csv")


def found(client: Client, model: Any, query: str) -> list[Any]:
    answer = client.get(page(model, "changelist"), {"q": query})
    return list(answer.context["cl"].result_list)


def test_orders_are_found_by_number_and_by_phone(lin: Client, corp: Corp, wang: Customer) -> None:
    mine = make_order(corp, customer=wang, order_no="A1")
    make_order(corp, order_no="A12")

    assert found(lin, Order, "A1") == [mine]
    assert found(lin, Order, "138 1234 5678") == [mine]
    assert found(lin, Order, "13900000000") == []


def test_no_page_shows_a_whole_phone(lin: Client, corp: Corp, wang: Customer) -> None:
    make_order(corp, customer=wang)
    identity = Identity.objects.get()

    for address in (
        page(Order, "changelist"),
        page(Identity, "changelist"),
        page(Identity, "change", identity.pk),
    ):
        text = lin.get(address).content.decode()
        assert PHONE not in text
    assert "138****5678" in lin.get(page(Identity, "changelist")).content.decode()


def test_takes_a_file_in_and_gives_the_errors_as_one(
    lin: Client, corp: Corp, wang: Customer
) -> None:
    speak(lin, "en")
    answer = lin.post(UPLOAD, {"corp": corp.pk, "file": file(CONTENT.encode("gb18030"))})
    job = Job.objects.get()
    where = reverse("admin:customers_order_import", args=[job.pk])
    assert answer.headers["Location"] == where
    waiting = lin.get(where).content.decode()
    run_due_jobs(clock=lambda: job.due_at)

    done = lin.get(where).content.decode()
    errors = lin.get(reverse("admin:customers_order_import_errors", args=[job.pk]))

    assert 'http-equiv="refresh"' in waiting
    assert 'http-equiv="refresh"' not in done
    assert Order.objects.get().customer == wang
    lines = b"".join(errors.streaming_content).decode("utf-8-sig").splitlines()  # type: ignore[attr-defined]
    assert lines[0] == "line,column,what is wrong"
    assert lines[1].startswith("3,订单号,")
    assert "1.2E+29" in lines[1]
    assert PHONE not in done
    assert lin.get(UPLOAD).status_code == 200


def test_a_file_that_cannot_be_read_is_refused_on_the_page(lin: Client, corp: Corp) -> None:
    mixed = CONTENT.encode() + "旗舰店,A2,已完成,1,1\n".encode("gb18030")

    answer = speak(lin, "en").post(UPLOAD, {"corp": corp.pk, "file": file(mixed)})

    assert answer.status_code == 200
    assert "mixes encodings" in answer.content.decode()
    assert not Job.objects.exists()


def test_only_who_sees_the_whole_corp_takes_files_in(
    enter: Enter, corp: Corp, mallory: Client, lin: Client
) -> None:
    lead = enter("lead", corp=corp, departments=[make_department(corp)])
    lin.post(UPLOAD, {"corp": corp.pk, "file": file(CONTENT.encode())})
    job = Job.objects.get()

    assert lead.get(UPLOAD).status_code == 403
    assert (
        mallory.post(UPLOAD, {"corp": corp.pk, "file": file(CONTENT.encode())}).status_code == 200
    )
    for name in ("customers_order_import", "customers_order_import_errors"):
        assert mallory.get(reverse(f"admin:{name}", args=[job.pk])).status_code == 404
        assert lead.get(reverse(f"admin:{name}", args=[job.pk])).status_code == 403
    assert Job.objects.count() == 1


def test_a_lead_sees_the_orders_of_her_department_s_customers(enter: Enter, corp: Corp) -> None:
    department = make_department(corp)
    mine = make_customer(corp, staff=make_staff(corp, departments=[department]))
    order = make_order(corp, customer=mine)
    make_order(corp, customer=make_customer(corp, staff=make_staff(corp)))
    make_order(corp)
    lead = enter("lead", corp=corp, departments=[department])

    assert list(lead.get(page(Order, "changelist")).context["cl"].result_list) == [order]


def test_what_waits_is_listed_as_waiting(lin: Client, corp: Corp, wang: Customer) -> None:
    make_order(corp, customer=wang)
    waiting = make_order(corp, awaited_kind="phone", awaited_digest=b"1")

    answer = speak(lin, "en").get(page(Order, "changelist"), {"matched": "no"})

    assert list(answer.context["cl"].result_list) == [waiting]
    assert "waits, by phone" in answer.content.decode()


def test_a_schema_is_edited_and_the_quarantine_judged_anew(lin: Client, corp: Corp) -> None:
    add = page(EventType, "add")
    wrong = lin.post(add, {"name": "basket", "schema": '{"type": "nothing"}'})
    assert wrong.status_code == 200
    assert not EventType.objects.exists()
    lin.post(add, {"name": "basket", "schema": '{"required": ["sku"]}'})
    event_type = EventType.objects.get()
    event = make_brand_event(corp, type="basket", status="quarantined", problem="$: sku")
    assert str(event.type) in lin.get(page(EventType, "changelist")).content.decode()

    lin.post(page(EventType, "change", event_type.pk), {"schema": "{}"})
    run_due_jobs(clock=lambda: Job.objects.get().due_at)

    event.refresh_from_db()
    assert (event.status, event.problem) == ("taken", "")


def test_the_button_judges_the_quarantine_anew(lin: Client, corp: Corp) -> None:
    event_type = make_event_type(corp, "basket")
    make_brand_event(corp, type="basket", status="quarantined")

    lin.post(f"{page(EventType, 'changelist')}{event_type.pk}/rejudge/", PRESSED)
    run_due_jobs(clock=lambda: Job.objects.get().due_at)

    assert BrandEvent.objects.get().status == "taken"


def test_links_moves_and_undoes_in_the_admin(lin: Client, corp: Corp, wang: Customer) -> None:
    other = make_customer(corp, staff=make_staff(corp))
    add = page(Identity, "add")
    taken = lin.post(
        add, {"external_userid": other.external_userid, "kind": "phone", "value": PHONE}
    )
    assert taken.status_code == 200
    assert wang.external_userid in taken.content.decode()
    identity = Identity.objects.get()
    order = make_order(
        corp, customer=wang, awaited_kind="phone", awaited_digest=bytes(identity.digest)
    )

    at = f"/admin/customers/identity/{identity.pk}"
    lin.post(f"{at}/move/", PRESSED | {"external_userid": other.external_userid})
    order.refresh_from_db()
    assert order.customer == other
    lin.post(f"{at}/undo/", PRESSED)
    order.refresh_from_db()
    assert order.customer == wang
    lin.post(f"{at}/unlink/", PRESSED)
    assert not Identity.objects.exists()


def test_a_conflict_does_not_name_whom_one_may_not_see(
    enter: Enter, corp: Corp, wang: Customer
) -> None:
    department = make_department(corp)
    mine = make_customer(corp, staff=make_staff(corp, departments=[department]))
    lead = enter("lead", corp=corp, departments=[department])

    answer = lead.post(
        page(Identity, "add"),
        {"external_userid": mine.external_userid, "kind": "phone", "value": PHONE},
    )
    hidden = lead.post(
        page(Identity, "add"),
        {"external_userid": wang.external_userid, "kind": "member_id", "value": "M1"},
    )

    assert answer.status_code == hidden.status_code == 200
    assert wang.external_userid not in answer.content.decode()
    assert Identity.objects.count() == 1


def test_the_timeline_shows_orders_and_events(lin: Client, corp: Corp, wang: Customer) -> None:
    make_order(corp, customer=wang, order_no="A1", refunded_fen=100, refunded_at=NOW)
    make_brand_event(corp, customer=wang, type="class_joined")

    text = speak(lin, "en").get(page(Customer, "change", wang.pk)).content.decode()

    assert "Paid ¥199.00, order A1" in text
    assert "Got ¥1.00 back, order A1" in text
    assert "Event «class_joined»" in text
