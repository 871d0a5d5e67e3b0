"""The products that members show to customers."""

from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class Product:
    product_id: str
    description: str
    price: int
    product_sn: str
    attachments: list[dict[str, Any]]
    create_time: int
    is_deleted: bool = False
