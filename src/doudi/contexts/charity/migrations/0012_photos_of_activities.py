"""Pictures of a project's activities, with the consent of who is in them."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("charity", "0011_needs_whole_or_in_parts")]

    operations = [
        migrations.CreateModel(
            name="ActivityPhoto",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("taken_on", models.DateField(verbose_name="拍摄日期")),
                ("caption", models.CharField(max_length=200, verbose_name="说明")),
                (
                    "who",
                    models.CharField(
                        choices=[("nobody", "看不出是谁"), ("agreed", "画面中的人都书面同意公开")],
                        max_length=10,
                        verbose_name="画面中的人",
                    ),
                ),
                ("consent", models.CharField(blank=True, max_length=200, verbose_name="同意书存放处")),
                ("stored", models.CharField(max_length=80, verbose_name="文件")),
                ("added_by", models.CharField(max_length=150, verbose_name="上传人")),
                ("added_at", models.DateTimeField(auto_now_add=True, verbose_name="上传时间")),
                ("down_on", models.DateField(null=True, verbose_name="撤下日期")),
                ("down_by", models.CharField(blank=True, max_length=150, verbose_name="撤下人")),
                ("down_why", models.CharField(blank=True, max_length=200, verbose_name="撤下理由")),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="photos",
                        to="charity.project",
                        verbose_name="项目",
                    ),
                ),
            ],
            options={"ordering": ["-taken_on", "-pk"]},
        ),
    ]
