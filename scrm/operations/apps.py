from django.apps import AppConfig


class OperationsConfig(AppConfig):
    name = "scrm.operations"
    label = "operations"
