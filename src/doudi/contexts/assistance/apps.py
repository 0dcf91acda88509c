from django.apps import AppConfig


class AssistanceConfig(AppConfig):
    name = "doudi.contexts.assistance"
    label = "assistance"
