from django.apps import AppConfig
from django.db.models.signals import post_migrate, pre_migrate


class AssistanceConfig(AppConfig):
    name = "doudi.contexts.assistance"
    label = "assistance"

    def ready(self) -> None:
        from doudi.contexts.assistance.frozen import guard, unguard

        # SQLite cannot rebuild a table that another table's trigger names: the guard steps aside for a migration
        pre_migrate.connect(unguard, sender=self, dispatch_uid="assistance.unguard")
        post_migrate.connect(guard, sender=self, dispatch_uid="assistance.guard")
