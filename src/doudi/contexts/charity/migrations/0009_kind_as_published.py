"""Under which kind a need is shown: what was published before was shown under its own."""

from __future__ import annotations

from django.db import migrations, models
from django.db.models import F


def as_it_was_shown(apps, schema_editor) -> None:
    """A need that was published keeps the kind it was published with."""
    needs = apps.get_model("charity", "Need")
    needs.objects.exclude(published_on=None).update(public_kind=F("kind"))


class Migration(migrations.Migration):
    dependencies = [("charity", "0008_venture_reversals")]

    operations = [
        migrations.AddField(
            model_name="need",
            name="public_kind",
            field=models.CharField(blank=True, default="", help_text="需求种类，或其大类", max_length=20, verbose_name="公开种类"),
            preserve_default=False,
        ),
        migrations.RunPython(as_it_was_shown, migrations.RunPython.noop),
    ]
