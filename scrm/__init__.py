"""The project package: composition on top, kernel below (docs/architecture.md)."""

from scrm.celery import app as celery_app

__all__ = ["celery_app"]
