"""A need says whether one project must give the whole gap or several may share it."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("charity", "0010_the_day_index_holds_the_sum")]

    operations = [
        migrations.AddField(
            model_name="need",
            name="whole",
            field=models.BooleanField(
                default=False,
                help_text="一个项目给足全部缺口；否则可以由几个项目分担",
                verbose_name="须一次给足",
            ),
        ),
    ]
