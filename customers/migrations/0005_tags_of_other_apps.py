from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('customers', '0004_commerce_moves'),
    ]

    operations = [
        migrations.AddField(
            model_name='tag',
            name='is_foreign',
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name='taggroup',
            name='is_foreign',
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
