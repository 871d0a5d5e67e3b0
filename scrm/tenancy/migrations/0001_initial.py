import django.contrib.postgres.fields
import django.db.models.deletion
import scrm.common.encryption
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('auth', '__first__'),
    ]

    operations = [
        migrations.CreateModel(
            name='Corp',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('corp_id', models.CharField(max_length=64, unique=True, verbose_name='corp id')),
                ('name', models.CharField(max_length=128, verbose_name='name')),
                ('time_zone', models.CharField(default='Asia/Shanghai', max_length=64, verbose_name='time zone')),
                ('base_url', models.URLField(max_length=256, verbose_name='platform address')),
                ('agent_id', models.CharField(blank=True, max_length=32, verbose_name='agent id')),
                ('secret', scrm.common.encryption.EncryptedTextField(verbose_name='app secret')),
                ('contact_secret', scrm.common.encryption.EncryptedTextField(blank=True, verbose_name='contact secret')),
                ('archive_secret', scrm.common.encryption.EncryptedTextField(blank=True, verbose_name='archive secret')),
                ('callback_token', scrm.common.encryption.EncryptedTextField(verbose_name='callback token')),
                ('callback_aes_key', scrm.common.encryption.EncryptedTextField(verbose_name='callback AES key')),
                ('quota_mode', models.CharField(choices=[('month', 'as many a month as the month has days'), ('week', '7 a week'), ('day', '1 a day'), ('legacy', '4 a month (older corps)')], default='month', max_length=8, verbose_name='mass message quota')),
                ('approval_threshold', models.PositiveIntegerField(blank=True, help_text='Campaigns to at least this many customers need approval; empty: never.', null=True, verbose_name='approval from')),
                ('created_at', models.DateTimeField(verbose_name='created')),
            ],
            options={
                'verbose_name': 'corp',
                'verbose_name_plural': 'corps',
            },
        ),
        migrations.CreateModel(
            name='ApiKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=128, verbose_name='name')),
                ('prefix', models.CharField(max_length=16, verbose_name='starts with')),
                ('digest', models.CharField(editable=False, max_length=64, unique=True)),
                ('scopes', django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=64), default=list, size=None, verbose_name='scopes')),
                ('created_at', models.DateTimeField(verbose_name='created')),
                ('expires_at', models.DateTimeField(blank=True, null=True, verbose_name='expires')),
                ('revoked_at', models.DateTimeField(blank=True, null=True, verbose_name='revoked')),
                ('last_used_at', models.DateTimeField(blank=True, null=True, verbose_name='last used')),
                ('corp', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.corp')),
            ],
            options={
                'verbose_name': 'API key',
                'verbose_name_plural': 'API keys',
            },
        ),
        migrations.CreateModel(
            name='Department',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('department_id', models.BigIntegerField(verbose_name='platform id')),
                ('name', models.CharField(max_length=128, verbose_name='name')),
                ('parent_id_on_platform', models.BigIntegerField(default=0, verbose_name='parent')),
                ('order', models.BigIntegerField(default=0, verbose_name='order')),
                ('deleted_at', models.DateTimeField(blank=True, null=True)),
                ('corp', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.corp')),
            ],
            options={
                'verbose_name': 'department',
                'verbose_name_plural': 'departments',
                'constraints': [models.UniqueConstraint(fields=('corp', 'department_id'), name='department_once_per_corp')],
            },
        ),
        migrations.CreateModel(
            name='CorpAccess',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('corp', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.corp')),
                ('user', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='corp_accesses', to=settings.AUTH_USER_MODEL)),
                ('departments', models.ManyToManyField(blank=True, help_text='With everything below them. Empty: the whole corp.', to='tenancy.department', verbose_name='departments')),
            ],
            options={
                'verbose_name': 'access to a corp',
                'verbose_name_plural': 'access to corps',
                'constraints': [models.UniqueConstraint(fields=('user', 'corp'), name='access_once_per_user_and_corp')],
            },
        ),
        migrations.CreateModel(
            name='IdempotentCall',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=255)),
                ('method', models.CharField(max_length=8)),
                ('path', models.CharField(max_length=512)),
                ('fingerprint', models.CharField(max_length=64)),
                ('started_at', models.DateTimeField()),
                ('status', models.PositiveSmallIntegerField(null=True)),
                ('body', models.BinaryField(default=b'')),
                ('content_type', models.CharField(blank=True, max_length=128)),
                ('api_key', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.apikey')),
                ('corp', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.corp')),
            ],
            options={
                'indexes': [models.Index(fields=['started_at'], name='idempotent_call_purge')],
                'constraints': [models.UniqueConstraint(fields=('api_key', 'key', 'method', 'path'), name='idempotent_call_once')],
            },
        ),
        migrations.CreateModel(
            name='RateWindow',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('window', models.BigIntegerField()),
                ('calls', models.PositiveIntegerField(default=0)),
                ('api_key', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.apikey')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('api_key', 'window'), name='rate_window_once')],
            },
        ),
        migrations.CreateModel(
            name='Staff',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('userid', models.CharField(max_length=64, verbose_name='userid')),
                ('name', models.CharField(max_length=128, verbose_name='name')),
                ('alias', models.CharField(blank=True, max_length=64, verbose_name='alias')),
                ('position', models.CharField(blank=True, max_length=128, verbose_name='position')),
                ('status', models.CharField(choices=[('active', 'active'), ('disabled', 'disabled'), ('not_activated', 'not activated'), ('left', 'left')], default='active', max_length=16, verbose_name='status')),
                ('has_customer_contact', models.BooleanField(default=False, verbose_name='may talk to customers')),
                ('left_at', models.DateTimeField(blank=True, null=True, verbose_name='left at')),
                ('corp', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.corp')),
                ('departments', models.ManyToManyField(blank=True, to='tenancy.department', verbose_name='departments')),
            ],
            options={
                'verbose_name': 'staff member',
                'verbose_name_plural': 'staff',
                'constraints': [models.UniqueConstraint(fields=('corp', 'userid'), name='staff_once_per_corp')],
            },
        ),
    ]
