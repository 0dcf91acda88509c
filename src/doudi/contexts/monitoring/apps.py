from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    name = "doudi.contexts.monitoring"
    label = "monitoring"
