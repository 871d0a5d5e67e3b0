"""What a person is known by outside the platform."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from customers.models.customers import Customer
from scrm.common.encryption import EncryptedTextField
from scrm.common.models import CorpModel, CorpQuerySet


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

    objects = CorpQuerySet["Identity"].as_manager()

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


class Awaited(CorpModel):
    """Something that is told of a person who may not have arrived yet.

    With a customer it is hers. Without, `awaited_kind` and `awaited_digest` name who is waited for.
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
