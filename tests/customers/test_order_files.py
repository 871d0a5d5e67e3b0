"""Orders from files as shops and spreadsheets write them."""

import io
from typing import Any

import pytest
from django.core.files.storage import default_storage

from customers.actions.order_files import (
    MAX_ERRORS,
    UnreadableFile,
    examine,
    safe_cell,
    start_import,
)
from customers.models import Customer, Order
from scrm.audit.actions.recording import SYSTEM
from scrm.audit.models import AuditEntry
from scrm.jobs.actions.running import run_due_jobs
from scrm.jobs.models import Job
from scrm.tenancy.models import Corp
from tests.factories import NOW, make_customer, make_identity

CHINESE = "店铺,订单编号,订单状态,实付金额,退款金额,付款时间,修改时间,手机号,商品名称,备注\n"
LINE = '天猫旗舰店,="20261101000123456789",交易成功,"1,299.00",,2026-11-01 10:00:00,2026/11/3 9:30,138 1234 5678,奶粉,送礼\n'


@pytest.fixture(autouse=True)
def _storage(tmp_path: Any, settings: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def wang(corp: Corp) -> Customer:
    customer = make_customer(corp)
    make_identity(customer, "phone", "13812345678")
    return customer


def take(corp: Corp, content: bytes, *, shop_id: str = "") -> Job:
    job = start_import(
        io.BytesIO(content), name="orders.csv", shop_id=shop_id, corp=corp, actor=SYSTEM, now=NOW
    )
    run_due_jobs(clock=lambda: NOW)
    job.refresh_from_db()
    return job


def refused(content: bytes) -> str:
    with pytest.raises(UnreadableFile) as refusal:
        examine(io.BytesIO(content))
    return refusal.value.detail


def errors_of(job: Job) -> list[tuple[int, str]]:
    return [(each["line"], each["column"]) for each in job.errors]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("mark", [",", "\t"])
def test_reads_what_shops_export(corp: Corp, wang: Customer, encoding: str, mark: str) -> None:
    text = CHINESE + LINE
    if mark == "\t":
        text = text.replace('"1,299.00"', "1299.00").replace(",", "\t")

    job = take(corp, text.encode(encoding))

    order = Order.objects.get()
    assert (job.status, job.errors) == ("succeeded", [])
    assert job.report | {"rows": 1, "created": 1, "matched": 1, "refused": 0} == job.report
    assert order.shop_id == "天猫旗舰店"
    assert order.order_no == "20261101000123456789"
    assert (order.status, order.amount_fen, order.customer) == ("completed", 129_900, wang)
    assert order.items == [{"name": "奶粉"}]
    assert order.paid_at is not None
    assert order.paid_at.isoformat() == "2026-11-01T02:00:00+00:00"
    assert order.changed_at.isoformat() == "2026-11-03T01:30:00+00:00"


def test_reads_columns_by_their_english_names_in_any_order(corp: Corp, wang: Customer) -> None:
    content = "status,phone,amount_fen,order_no\npaid,+8613812345678,500,'A1\n"

    take(corp, content.encode(), shop_id="store")

    order = Order.objects.get()
    assert (order.shop_id, order.order_no, order.amount_fen) == ("store", "A1", 500)


def test_a_line_that_is_wrong_is_named_and_the_others_are_taken(corp: Corp, wang: Customer) -> None:
    lines = [
        "s,1.2E+29,paid,1,13812345678",
        "s,2,paid,1.005,13812345678",
        "s,3,unknown,1,13812345678",
        "s,4,paid,1,1.38E+10",
        "",
        "s,5,paid,1,13812345678",
        "s,6,paid,1,13812345678,more",
        "s,7,paid,1,",
    ]
    job = take(corp, ("shop,order_no,status,金额,手机\n" + "\n".join(lines) + "\n").encode())

    assert [order.order_no for order in Order.objects.all()] == ["5"]
    assert job.status == "partial"
    assert errors_of(job) == [
        (2, "order_no"), (3, "金额"), (4, "status"), (5, "手机"), (8, ""), (9, "external_userid"),
    ]  # fmt: skip
    assert "spreadsheet" in job.errors[0]["message"] or "1.2E+29" in job.errors[0]["message"]
    assert job.report["refused"] == 6
    assert "1381234" not in str(job.errors)


def test_formulas_stay_text(corp: Corp, wang: Customer) -> None:
    line = '"=HYPERLINK(""http://x"")",=1+1,paid,1,13812345678\n'

    take(corp, f"shop,order_no,status,金额,手机\n{line}".encode())

    order = Order.objects.get()
    assert (order.shop_id, order.order_no) == ('=HYPERLINK("http://x")', "=1+1")
    assert safe_cell(order.order_no) == "'=1+1"


def test_mixed_encodings_are_refused_with_both_lines() -> None:
    content = CHINESE.encode() + LINE.encode("gb18030")

    assert "1" in refused(content)
    assert "2" in refused(content)
    assert refused(b"\xef\xbb\xbf" + CHINESE.encode("gb18030") + LINE.encode("gb18030"))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"shop,order_no,status,amount,phone\n",
        CHINESE.encode() + b"\xff\xff\xff,1\n",
        CHINESE.encode() + b"a\0b,1\n",
        (CHINESE + LINE).encode("utf-16"),
        b"PK\x03\x04 a workbook\n\n",
        b"a,b,c\n1,2,3\n",
        "订单号,order_no,状态,金额,手机,店铺\n1,1,paid,1,1,s\n".encode(),
        "订单号,状态,金额,手机\n1,paid,1,13812345678\n".encode(),
        "店铺,订单号,状态,金额\ns,1,paid,1\n".encode(),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_as_a_whole(corp: Corp, content: bytes) -> None:
    with pytest.raises(UnreadableFile):
        start_import(
            io.BytesIO(content), name="x.csv", shop_id="", corp=corp, actor=SYSTEM, now=NOW
        )

    assert not Job.objects.exists()


def test_a_quote_that_never_closes_is_told_with_its_line(corp: Corp, wang: Customer) -> None:
    content = 'shop,order_no,status,金额,手机\ns,1,paid,1,13812345678\ns,"2,paid,1,1\n'

    job = take(corp, content.encode())

    assert job.status == "partial"
    assert [order.order_no for order in Order.objects.all()] == ["1"]
    assert "3" in job.errors[-1]["message"]


def test_a_second_time_the_same_file_changes_nothing(corp: Corp, wang: Customer) -> None:
    content = (CHINESE + LINE).encode()
    take(corp, content)
    before = list(Order.objects.values())

    job = take(corp, content)

    assert job.report["unchanged"] == 1
    assert list(Order.objects.values()) == before


def test_goes_on_where_a_dead_worker_left_and_throws_the_file_away(
    corp: Corp, wang: Customer
) -> None:
    lines = "".join(f"s,{number},paid,1,13812345678\n" for number in range(700))
    content = ("shop,order_no,status,金额,手机\n" + lines).encode()
    job = start_import(
        io.BytesIO(content), name="x.csv", shop_id="", corp=corp, actor=SYSTEM, now=NOW
    )
    path = job.params["path"]
    assert default_storage.exists(path)
    Job.objects.filter(pk=job.pk).update(done=500, state={"counts": {"rows": 500}, "errors": []})

    run_due_jobs(clock=lambda: NOW)

    job.refresh_from_db()
    assert (job.status, job.done, job.report["rows"]) == ("succeeded", 700, 700)
    assert Order.objects.count() == 200
    assert not default_storage.exists(path)


def test_keeps_a_bounded_number_of_sentences(corp: Corp) -> None:
    lines = "".join(f"s,{number},paid,x,13812345678\n" for number in range(MAX_ERRORS + 200))

    job = take(corp, ("shop,order_no,status,金额,手机\n" + lines).encode())

    assert job.report["refused"] == MAX_ERRORS + 200
    assert len(job.errors) == MAX_ERRORS


def test_who_took_a_file_in_is_in_the_audit_log(corp: Corp, wang: Customer) -> None:
    job = take(corp, (CHINESE + LINE).encode())

    entry = AuditEntry.objects.get(action="orders.import_started")
    assert entry.data == {"name": "orders.csv", "rows": 1, "job": job.pk}
