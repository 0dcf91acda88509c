from django.apps import AppConfig


class MealsConfig(AppConfig):
    name = "doudi.contexts.meals"
    label = "meals"
