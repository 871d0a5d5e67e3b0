"""Orders from a CSV file, as shops export them: read line by line, taken in by a job.

UTF-8 or GB18030, separated by commas, tabs or semicolons, columns known by their names in Chinese
or English and in any order. What is wrong with the file as a whole is said at once and nothing is
taken; what is wrong with a line is said with its number, and the others are taken all the same.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import IO, Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils.translation import gettext as _

from customers.actions.identities import refused_number
from customers.actions.orders import MAX_ROWS, OrderAnswer, put_orders
from customers.models import Order
from scrm.audit.actions.recording import Actor, record
from scrm.audit.models import AuditEntry
from scrm.common.errors import DomainError, FieldProblem, InvalidInput
from scrm.jobs.actions.running import Outcome, note_progress, register_job, start_job
from scrm.jobs.models import Job
from scrm.tenancy.models import Corp

IMPORT = "orders.import"
MAX_BYTES = 200_000_000
# More than this many sentences help nobody; the report says how many lines were refused.
MAX_ERRORS = 1000

# What shops and spreadsheets call the columns; the first is ours.
COLUMNS: dict[str, tuple[str, ...]] = {
    "shop_id": ("shop_id", "shop", "店铺", "店铺id", "店铺编号", "店铺名称", "门店"),
    "order_no": (
        "order_no",
        "order number",
        "order id",
        "订单号",
        "订单编号",
        "订单id",
        "交易单号",
    ),
    "status": ("status", "状态", "订单状态", "交易状态"),
    "amount_fen": ("amount_fen", "金额（分）", "金额(分)"),
    "amount": ("amount", "金额", "实付金额", "订单金额", "实付款", "支付金额"),
    "refunded_fen": ("refunded_fen", "退款金额（分）", "退款金额(分)"),
    "refunded": ("refunded", "退款金额", "已退金额"),
    "paid_at": ("paid_at", "付款时间", "支付时间", "下单付款时间"),
    "refunded_at": ("refunded_at", "退款时间"),
    "changed_at": ("changed_at", "更新时间", "修改时间"),
    "phone": ("phone", "mobile", "手机号", "手机", "电话", "联系电话", "收货人手机"),
    "member_id": ("member_id", "会员号", "会员id", "会员编号", "会员卡号"),
    "unionid": ("unionid",),
    "external_userid": ("external_userid", "外部联系人id", "客户id"),
    "items": ("items", "商品", "商品名称", "宝贝标题"),
}
_COLUMN_OF = {name: column for column, names in COLUMNS.items() for name in names}
STATUSES: dict[str, str] = {
    **{str(status): str(status) for status in Order.Status.values},
    **dict.fromkeys(("已付款", "已支付", "待发货", "买家已付款", "等待卖家发货"), "paid"),
    **dict.fromkeys(("已发货", "待收货", "卖家已发货", "等待买家确认收货"), "shipped"),
    **dict.fromkeys(("已完成", "交易成功", "已收货", "已签收"), "completed"),
    **dict.fromkeys(("已退款", "退款成功", "全额退款"), "refunded"),
    **dict.fromkeys(("已关闭", "交易关闭", "已取消"), "closed"),
}
_NAMES = ("shop_id", "order_no", "phone", "member_id", "unionid", "external_userid")
_MOMENTS = ("paid_at", "refunded_at", "changed_at")
_AS_FORMULA = re.compile(r'="([^"]*)"')
_SHORTENED = re.compile(r"\d(?:[.,]\d+)?[eE]\+?\d+")
_MOMENT_FORMS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d")
_CHINESE = re.compile(r"[\u3000-\u9fff\uff00-\uffef]")


class UnreadableFile(InvalidInput):
    """The file as a whole cannot be read; nothing of it has been taken."""

    code = "unreadable_file"


@dataclass(frozen=True)
class Layout:
    """How a file is to be read: `columns` are the names of ours, empty for one that is left out."""

    encoding: str
    delimiter: str
    columns: tuple[str, ...]
    headings: tuple[str, ...]
    lines: int

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> "Layout":
        """From the JSON that `asdict` has become."""
        columns, headings = tuple(kept["columns"]), tuple(kept["headings"])
        return cls(kept["encoding"], kept["delimiter"], columns, headings, kept["lines"])

    @property
    def left_out(self) -> list[str]:
        return [
            heading
            for heading, column in zip(self.headings, self.columns, strict=True)
            if not column
        ]


@dataclass(frozen=True)
class Line:
    """One line: the row for `put_orders`, or what is wrong with it."""

    number: int
    row: dict[str, Any]
    problems: tuple[FieldProblem, ...] = ()


def register_jobs() -> None:
    register_job(IMPORT, run_import)


def start_import(
    content: IO[bytes], *, name: str, shop_id: str, corp: Corp, actor: Actor, now: datetime
) -> Job:
    """Look a file over and take it in by a job; raises UnreadableFile.

    `shop_id` is that of files which name no shop. The file is kept until the job has read it.
    """
    layout = examine(content, has_shop=bool(shop_id.strip()))
    content.seek(0)
    path = default_storage.save(f"imports/{corp.pk}/{uuid4().hex}.csv", File(content))
    with transaction.atomic():
        params = {
            "path": path,
            "shop_id": shop_id.strip(),
            "layout": asdict(layout),
            "actor": {"kind": actor.kind, "id": actor.id, "name": actor.name},
        }
        job = start_job(IMPORT, corp=corp, now=now, subject_id=uuid4().hex, params=params)
        data = {"name": name[:200], "rows": layout.lines - 1, "job": job.pk}
        record("orders.import_started", actor=actor, corp=corp, subject=job, now=now, data=data)
    return job


def examine(content: IO[bytes], *, has_shop: bool = False) -> Layout:
    """How the file is to be read; raises UnreadableFile with a sentence that says what to change."""
    encoding, lines = _find_encoding(content)
    content.seek(0)
    first = content.readline().decode(encoding).strip("\r\n")
    delimiter = max(",\t;", key=lambda mark: sum(map(bool, _columns_of(first, mark)[0])))
    columns, headings = _columns_of(first, delimiter)
    double = [column for column, count in Counter(filter(None, columns)).items() if count > 1]
    if double:
        names = ", ".join(h for h, c in zip(headings, columns, strict=True) if c in double)
        raise UnreadableFile(_("Several columns mean the same: %(names)s.") % {"names": names})
    missing = list(_missing(set(columns), has_shop=has_shop))
    if missing:
        words = {"names": ", ".join(missing)}
        raise UnreadableFile(_("These columns are missing in the first line: %(names)s.") % words)
    return Layout(encoding, delimiter, columns, headings, lines)


def read_lines(
    content: IO[bytes], layout: Layout, *, shop_id: str, zone: ZoneInfo
) -> Iterator[Line]:
    """The lines below the first, one at a time; raises UnreadableFile where the CSV breaks."""
    text = io.TextIOWrapper(content, encoding=layout.encoding, newline="")
    reader = csv.reader(text, delimiter=layout.delimiter, strict=True)
    try:
        next(reader, None)
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield _line_of(cells, reader.line_num, layout, shop_id=shop_id, zone=zone)
    except csv.Error as error:
        words = {"line": reader.line_num, "why": str(error)}
        raise UnreadableFile(_("Line %(line)d is no proper CSV: %(why)s") % words) from None
    finally:
        # The file is whoever's opened it.
        with suppress(ValueError):
            text.detach()


def run_import(job: Job, clock: Callable[[], datetime]) -> Outcome:
    """Take the lines in, 500 a transaction, each with the bookmark; then the file is thrown away."""
    state: dict[str, Any] = {"counts": {}, "errors": [], **job.state}
    path = job.params["path"]
    if not default_storage.exists(path):
        return Outcome(state["counts"], tuple(state["errors"]))
    try:
        with default_storage.open(path) as content:
            _take_all(job, content, state, clock)
    except UnreadableFile as error:
        state["errors"].append({"message": error.detail})
    default_storage.delete(path)
    return Outcome(state["counts"], tuple(state["errors"]))


def safe_cell(value: object) -> str:
    """A cell that no spreadsheet runs as a formula."""
    text = str(value)
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text


def _take_all(
    job: Job, content: IO[bytes], state: dict[str, Any], clock: Callable[[], datetime]
) -> None:
    layout = Layout.read(job.params["layout"])
    shop_id, zone = job.params["shop_id"], job.corp.zone
    lines = read_lines(content, layout, shop_id=shop_id, zone=zone)
    for _number in range(job.done):
        next(lines, None)
    chunk: list[Line] = []
    try:
        for line in lines:
            chunk.append(line)
            if len(chunk) == MAX_ROWS:
                _take(job, chunk, layout, state, now=clock())
                chunk = []
    finally:
        # Where the CSV breaks, what stands before is taken all the same.
        _take(job, chunk, layout, state, now=clock())


def _take(
    job: Job, chunk: list[Line], layout: Layout, state: dict[str, Any], *, now: datetime
) -> None:
    if not chunk:
        return
    given = job.params["actor"]
    actor = Actor(AuditEntry.ActorKind(given["kind"]), given["id"], given["name"])
    readable = [line for line in chunk if not line.problems]
    with transaction.atomic():
        answers = put_orders([line.row for line in readable], corp=job.corp, actor=actor, now=now)
        counts = Counter(state["counts"])
        counts.update(answer.outcome for answer in answers)
        counts["refused"] += len(chunk) - len(readable)
        counts["matched"] += sum(answer.matched for answer in answers)
        counts["rows"] += len(chunk)
        state["counts"] = dict(counts)
        state["errors"] += _errors_of(chunk, readable, answers, layout)
        del state["errors"][MAX_ERRORS:]
        total = max(layout.lines - 1, job.done + len(chunk))
        note_progress(job, now=now, done=job.done + len(chunk), total=total, state=state)


def _errors_of(
    chunk: list[Line], readable: list[Line], answers: list[OrderAnswer], layout: Layout
) -> list[dict[str, Any]]:
    heading_of = dict(zip(layout.columns, layout.headings, strict=True))
    refused = {
        line.number: answer.errors
        for line, answer in zip(readable, answers, strict=True)
        if answer.errors
    }
    found = []
    for line in chunk:
        for problem in (*line.problems, *refused.get(line.number, ())):
            column = problem.path.strip("/").partition("/")[0]
            heading = heading_of.get(column) or heading_of.get(column.removesuffix("_fen"), column)
            found.append({"line": line.number, "column": heading, "message": problem.message})
    return found


def _find_encoding(content: IO[bytes]) -> tuple[str, int]:
    """The encoding of all lines, and how many there are; raises UnreadableFile."""
    content.seek(0)
    beginning = content.read(4)
    _refuse_other_files(beginning)
    content.seek(0)
    chinese: dict[str, int] = {"utf-8": 1} if beginning.startswith(b"\xef\xbb\xbf") else {}
    count = size = 0
    for count, line in enumerate(content, start=1):
        size += len(line)
        if size > MAX_BYTES:
            raise UnreadableFile(
                _("The file is larger than %(limit)d MB.") % {"limit": MAX_BYTES // 10**6}
            )
        if not line.isascii() or b"\0" in line:
            _note_encoding(line, count, chinese)
    if count < 2:
        raise UnreadableFile(_("The file has no line below the names of its columns."))
    if len(chinese) > 1:
        words = {"utf8": chinese["utf-8"], "gb": chinese["gb18030"]}
        raise UnreadableFile(
            _(
                "The file mixes encodings: line %(utf8)d is UTF-8, line %(gb)d is GB18030. Save it "
                "anew in one of them."
            )
            % words
        )
    return ("gb18030" if "gb18030" in chinese else "utf-8-sig"), count


def _note_encoding(line: bytes, number: int, chinese: dict[str, int]) -> None:
    try:
        text = line.decode()
    except UnicodeDecodeError:
        try:
            text = line.decode("gb18030")
        except UnicodeDecodeError:
            text = "\0"
        else:
            chinese.setdefault("gb18030", number)
    else:
        # A few bytes of GB18030 can look like UTF-8, but hardly like Chinese in it.
        if _CHINESE.search(text):
            chinese.setdefault("utf-8", number)
    if "\0" in text:
        words = {"line": number}
        raise UnreadableFile(_("Line %(line)d is neither UTF-8 nor GB18030.") % words)


def _refuse_other_files(beginning: bytes) -> None:
    if beginning.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise UnreadableFile(_("This is a workbook, not a CSV file: save the sheet as CSV UTF-8."))
    if beginning.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UnreadableFile(_("This file is UTF-16: save it as CSV UTF-8."))


def _columns_of(first: str, delimiter: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    try:
        headings = next(csv.reader([first], delimiter=delimiter, strict=True), [])
    except csv.Error:
        return (), ()
    names = tuple(heading.strip().strip("\ufeff")[:100] for heading in headings)
    return tuple(_COLUMN_OF.get(name.lower(), "") for name in names), names


def _missing(columns: set[str], *, has_shop: bool) -> Iterator[str]:
    if "shop_id" not in columns and not has_shop:
        yield _named("shop_id")
    for name in ("order_no", "status"):
        if name not in columns:
            yield _named(name)
    if not columns & {"amount", "amount_fen"}:
        yield _named("amount")
    if not columns & {"phone", "member_id", "unionid", "external_userid"}:
        yield _named("phone")


def _named(column: str) -> str:
    names = COLUMNS[column]
    return f"{names[0]} ({next((name for name in names if _CHINESE.search(name)), names[0])})"


def _line_of(
    cells: list[str], number: int, layout: Layout, *, shop_id: str, zone: ZoneInfo
) -> Line:
    if len(cells) > len(layout.columns):
        message = _("The line has %(count)d cells, the first line has %(expected)d.") % {
            "count": len(cells),
            "expected": len(layout.columns),
        }
        return Line(number, {}, (FieldProblem("", "too_many_cells", message),))
    given = {
        column: text
        for column, cell in zip(layout.columns, cells, strict=False)
        if column and (text := _text_of(cell))
    }
    row: dict[str, Any] = {"shop_id": shop_id} if shop_id else {}
    problems: list[FieldProblem] = []
    for column, text in given.items():
        try:
            row |= _value_of(column, text, zone)
        except DomainError as error:
            problems += error.errors
    return Line(number, row, tuple(problems))


def _text_of(cell: str) -> str:
    """The text of a cell, without what keeps a spreadsheet from changing it; formulas stay text."""
    text = cell.strip().lstrip("'").strip()
    found = _AS_FORMULA.fullmatch(text)
    return found[1].strip() if found else text


def _value_of(column: str, text: str, zone: ZoneInfo) -> Mapping[str, Any]:
    if column in _NAMES:
        if column != "unionid" and _SHORTENED.fullmatch(text):
            raise refused_number(column, text)
        return {column: text}
    if column in _MOMENTS:
        return {column: _moment_of(column, text, zone)}
    if column == "status":
        return {column: STATUSES.get(text.lower(), text)}
    if column == "items":
        return {column: [{"name": text[:500]}]}
    if column in {"amount", "refunded"}:
        return {f"{column}_fen": _fen_of(column, text)}
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise _wrong(column, _("Give a whole number of fen."))
    return {column: int(text)}


def _fen_of(column: str, text: str) -> int:
    bare = text.lstrip("¥￥").replace(",", "").removesuffix("元").strip()
    try:
        fen = Decimal(bare) * 100
    except InvalidOperation:
        fen = Decimal("NaN")
    if not fen.is_finite() or fen < 0 or fen != fen.to_integral_value() or fen > 10**15:
        raise _wrong(f"{column}_fen", _("Give an amount in yuan with at most two decimals."))
    return int(fen)


def _moment_of(column: str, text: str, zone: ZoneInfo) -> datetime:
    """A time with its offset, or one of the corp's own zone."""
    plain = text.replace("/", "-").replace("T", " ")
    with suppress(ValueError):
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=zone)
    for form in _MOMENT_FORMS:
        with suppress(ValueError):
            return datetime.strptime(plain, form).replace(tzinfo=zone)
    raise _wrong(column, _("Give the time as 2026-03-01 09:00:00."))


def _wrong(column: str, message: str) -> InvalidInput:
    return InvalidInput(message, errors=(FieldProblem(f"/{column}", "invalid", message),))
