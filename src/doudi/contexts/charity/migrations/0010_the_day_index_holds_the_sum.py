"""The index by day holds the sum too, so that a balance on a day reads the index alone."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("charity", "0009_kind_as_published")]

    operations = [
        migrations.AddIndex(
            model_name="fundline",
            index=models.Index(fields=["fund", "account", "on", "amount_fen"], name="fund_account_day_sum"),
        ),
        migrations.RemoveIndex(model_name="fundline", name="fund_account_day"),
    ]
