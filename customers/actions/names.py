"""What customers are called, for the apps below that know only their ids."""

from collections.abc import Collection

from customers.models import Customer
from scrm.tenancy.models import Corp


def names_of_customers(corp: Corp, ids: Collection[str]) -> dict[str, str]:
    rows = Customer.objects.for_corp(corp).filter(external_userid__in=ids)
    return dict(rows.values_list("external_userid", "name"))
