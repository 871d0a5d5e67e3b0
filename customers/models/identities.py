"""What a person is known by outside the platform."""

from typing import Self, TypeVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from customers.models.customers import Customer
from scrm.common.encryption import EncryptedTextField
from scrm.common.models import CorpModel, CorpQuerySet
from scrm.tenancy.models import Scope

M = TypeVar("M", bound=models.Model)


class PersonalQuerySet(CorpQuerySet[M]):
    """Rows with a `customer`: who may see the customer may see them."""

    def in_scope(self, scope: Scope) -> Self:
        """What waits for nobody yet is seen only by those who may see the whole corp."""
        if scope.everything:
            return self
        if not scope.department_ids:
            return self.filter(corp_id__in=scope.corp_ids)
        visible = Customer.objects.in_scope(scope).values("pk")
        return self.filter(Q(corp_id__in=scope.corp_ids) | Q(customer__in=visible))


class IdentityKind(models.TextChoices):
    UNIONID = "unionid", _("unionid")
    PHONE = "phone", _("phone")
    MEMBER_ID = "member_id", _("member number")


class Identity(CorpModel):
    """A phone or a number that is one customer's; found by a keyed digest, readable by nobody else.

    The digest is an HMAC over the normalised value (customers/actions/identities.py), so a copy of
    the database tells neither phones nor who has one that is guessed.
    """

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="identities")
    kind = models.CharField(_("kind"), max_length=12, choices=IdentityKind)
    digest = models.BinaryField(max_length=32)
    value = EncryptedTextField(_("value"))
    linked_at = models.DateTimeField(_("linked"))
    # Who said so: {"by": …, "source": …}.
    why = models.JSONField(default=dict)

    objects = PersonalQuerySet["Identity"].as_manager()

    class Meta:
        verbose_name = _("identity")
        verbose_name_plural = _("identities")
        constraints = [
            models.UniqueConstraint(
                fields=["corp", "kind", "digest"], name="identity_of_one_customer"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.customer_id}"


class IdentityMove(CorpModel):
    """A phone or a number that was found to be another customer's, with all that came by it.

    What was moved is listed, so that undoing moves back exactly that (customers/actions/merging.py).
    """

    identity = models.ForeignKey(Identity, on_delete=models.CASCADE, related_name="moves")
    from_customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="+")
    to_customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="+")
    order_ids = ArrayField(models.BigIntegerField())
    event_ids = ArrayField(models.BigIntegerField())
    moved_at = models.DateTimeField(_("moved"))
    undone_at = models.DateTimeField(_("undone"), null=True)

    objects = CorpQuerySet["IdentityMove"].as_manager()

    class Meta:
        verbose_name = _("moved identity")
        verbose_name_plural = _("moved identities")

    def __str__(self) -> str:
        return f"{self.identity_id}: {self.from_customer_id} → {self.to_customer_id}"


class Awaited(CorpModel):
    """Something that is told of a person who may not have arrived yet.

    `awaited_kind` and `awaited_digest` say by what it was told; they stay when the customer is
    known, because an identity can turn out to be another person's. Without a customer they name
    who is waited for.
    """

    corp = models.ForeignKey(
        "tenancy.Corp", on_delete=models.CASCADE, related_name="+", db_index=False
    )
    customer = models.ForeignKey(
        Customer, on_delete=models.CASCADE, null=True, blank=True, related_name="+", db_index=False
    )
    awaited_kind = models.CharField(max_length=16, blank=True)
    awaited_digest = models.BinaryField(max_length=32, null=True)

    class Meta:
        abstract = True
