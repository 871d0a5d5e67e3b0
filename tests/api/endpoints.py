"""All endpoints below /api/v1/, found in the URLs: what follows is covered without being listed."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

from scrm.channels.models import InboundEvent, Operation
from scrm.jobs.actions.running import start_job
from scrm.tenancy.api.base import CorpViewSet
from scrm.tenancy.models import Corp
from tests.factories import (
    NOW,
    make_brand_event,
    make_campaign,
    make_customer,
    make_enrolment,
    make_event_type,
    make_group_chat,
    make_handover_plan,
    make_identity,
    make_incident,
    make_join_code,
    make_lexicon,
    make_material,
    make_media,
    make_order,
    make_risk_rule,
    make_segment,
    make_sop,
    make_staff,
    make_tag,
)


@dataclass(frozen=True)
class Endpoint:
    """One method of one path; `lookup` names the id in it, if it has one."""

    method: str
    path: str
    view: type[CorpViewSet]
    action: str
    lookup: str

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.path}"

    @property
    def is_page(self) -> bool:
        return self.method == "get" and self.action in self.view.paged_actions

    @property
    def takes_body(self) -> bool:
        return self.method in {"post", "put", "patch"}

    @property
    def makes_its_subject(self) -> bool:
        """What is put under a name of the caller's own need not be there."""
        return self.method == "put"

    @property
    def scopes(self) -> tuple[str, ...]:
        right = "read" if self.method == "get" else "write"
        return self.view.scopes.get(self.action, (f"{self.view.area}:{right}",))

    def url(self, identifier: object = "") -> str:
        """With the id of the subject; of one below another, the ids of both as a tuple."""
        ids = identifier if isinstance(identifier, tuple) else (identifier,)
        path = self.path
        for each in (*ids, *["1"] * path.count("{")):
            path = re.sub(r"\{\w+\}", str(each).replace("\\", ""), path, count=1)
        return path


def endpoints() -> list[Endpoint]:
    api = next(
        pattern
        for pattern in get_resolver().url_patterns
        if isinstance(pattern, URLResolver) and str(pattern.pattern) == "api/v1/"
    )
    return sorted(_below(api, "/api/v1/"), key=str)


def _below(resolver: URLResolver, prefix: str) -> Iterator[Endpoint]:
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            yield from _below(pattern, prefix)
        else:
            yield from _of(pattern, prefix)


def _of(pattern: URLPattern, prefix: str) -> Iterator[Endpoint]:
    view: Any = pattern.callback
    regex = pattern.pattern.regex
    lookup = next(iter(regex.groupindex), "")
    path = regex.pattern.removeprefix("^").removesuffix("$").removesuffix(r"\Z").replace("\\", "")
    if lookup:
        value = getattr(view.cls, "lookup_value_regex", "[^/.]+")
        path = path.replace(f"(?P<{lookup}>{value})", "{id}")
        # What is below the subject: /plans/{id}/items/{item}/
        path = re.sub(r"\(\?P<(\w+)>[^)]*\)", r"{\1}", path)
    for method, action in view.actions.items():
        if method != "head":
            yield Endpoint(method, prefix + path, view.cls, action, lookup)


def _make_event(corp: Corp) -> int:
    event = InboundEvent.objects.create(
        corp=corp, digest=b"1", body="<xml/>", received_at=NOW, next_attempt_at=NOW
    )
    return event.pk


def _make_operation(corp: Corp) -> int:
    operation = Operation.objects.create(
        corp=corp,
        kind="tag_customer",
        idempotency_key="1",
        payload={},
        next_attempt_at=NOW,
        created_at=NOW,
    )
    return operation.pk


# Resource → something of it that a corp has, and the id by which the API knows it.
SUBJECTS: dict[str, Callable[[Corp], object]] = {
    "staff": lambda corp: make_staff(corp).userid,
    "customers": lambda corp: make_customer(corp, staff=make_staff(corp)).external_userid,
    "tag-groups": lambda corp: make_tag(corp).group_id,
    "tags": lambda corp: make_tag(corp).pk,
    "segments": lambda corp: make_segment(corp).pk,
    "events": lambda corp: make_brand_event(corp).event_id,
    "event-types": lambda corp: make_event_type(corp).name,
    "orders": lambda corp: make_order(corp).pk,
    "handover": lambda corp: make_handover_plan(corp).pk,
    "groups": lambda corp: make_group_chat(corp).chat_id,
    "join-codes": lambda corp: make_join_code(corp).pk,
    "campaigns": lambda corp: make_campaign(corp).pk,
    "materials": lambda corp: make_material(corp).pk,
    "media-files": lambda corp: make_media(corp).pk,
    "risk/incidents": lambda corp: make_incident(corp).pk,
    "risk/lexicons": lambda corp: make_lexicon(corp).pk,
    "risk/rules": lambda corp: make_risk_rule(corp).pk,
    "sops": lambda corp: make_sop(corp).pk,
    "operations": lambda corp: start_job("test", corp=corp, now=NOW).pk,
    "inbox-events": _make_event,
    "outbox-operations": _make_operation,
}


def _make_item(corp: Corp) -> tuple[int, int]:
    item = make_handover_plan(corp).items.get()
    return item.plan_id, item.pk


def _make_enrolment(corp: Corp) -> tuple[int, int]:
    enrolment = make_enrolment(make_sop(corp), make_customer(corp, staff=make_staff(corp)))
    return enrolment.sop_id, enrolment.pk


def _make_order(corp: Corp) -> tuple[str, str]:
    order = make_order(corp)
    return order.shop_id, order.order_no


def _make_identity(corp: Corp) -> tuple[str, int]:
    identity = make_identity(make_customer(corp, staff=make_staff(corp)))
    return identity.customer.external_userid, identity.pk


# What is below a subject is made with it: the ids of both.
BELOW: dict[str, Callable[[Corp], tuple[object, object]]] = {
    "item": _make_item,
    "enrolment": _make_enrolment,
    "order_no": _make_order,
    "identity": _make_identity,
}


def make_subject(endpoint: Endpoint, corp: Corp) -> object:
    if below := re.search(r"\{(?!id\})(\w+)\}", endpoint.path):
        return BELOW[below[1]](corp)
    parts = endpoint.path.split("/")
    make = SUBJECTS.get("/".join(parts[3:5])) or SUBJECTS[parts[3]]
    return make(corp)
