import django.contrib.postgres.fields
import django.contrib.postgres.indexes
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('jobs', '0001_initial'),
        ('tenancy', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Segment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=128, verbose_name='name')),
                ('rule', models.JSONField(verbose_name='rule')),
                ('version', models.PositiveIntegerField(default=1, verbose_name='version')),
                ('created_at', models.DateTimeField(verbose_name='created')),
                ('updated_at', models.DateTimeField(verbose_name='updated')),
                ('corp', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.corp')),
            ],
            options={
                'verbose_name': 'segment',
                'verbose_name_plural': 'segments',
                'constraints': [models.UniqueConstraint(fields=('corp', 'name'), name='segment_once_per_name')],
            },
        ),
        migrations.CreateModel(
            name='Stage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.SlugField(max_length=32, verbose_name='key')),
                ('name', models.CharField(max_length=64, verbose_name='name')),
                ('order', models.PositiveSmallIntegerField(default=0, verbose_name='order')),
                ('corp', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.corp')),
            ],
            options={
                'verbose_name': 'stage',
                'verbose_name_plural': 'stages',
                'constraints': [models.UniqueConstraint(fields=('corp', 'key'), name='stage_once_per_corp')],
            },
        ),
        migrations.CreateModel(
            name='TagGroup',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=64, verbose_name='name')),
                ('kind', models.CharField(choices=[('wecom', 'platform tag'), ('system', 'system tag'), ('auto', 'automatic tag')], default='system', max_length=8, verbose_name='kind')),
                ('wecom_id', models.CharField(blank=True, max_length=64, verbose_name='platform id')),
                ('order', models.BigIntegerField(default=0, verbose_name='order')),
                ('deleted_at', models.DateTimeField(blank=True, null=True, verbose_name='deleted')),
                ('corp', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.corp')),
            ],
            options={
                'verbose_name': 'tag group',
                'verbose_name_plural': 'tag groups',
                'constraints': [models.UniqueConstraint(condition=models.Q(('wecom_id', ''), _negated=True), fields=('corp', 'wecom_id'), name='tag_group_once_per_platform_id'), models.UniqueConstraint(condition=models.Q(('deleted_at__isnull', True), ('wecom_id', '')), fields=('corp', 'kind', 'name'), name='own_tag_group_once_per_name')],
            },
        ),
        migrations.CreateModel(
            name='Customer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('external_userid', models.CharField(max_length=64, verbose_name='external id')),
                ('unionid', models.CharField(blank=True, max_length=64, verbose_name='unionid')),
                ('name', models.CharField(blank=True, max_length=128, verbose_name='name')),
                ('avatar', models.URLField(blank=True, max_length=512, verbose_name='picture')),
                ('type', models.PositiveSmallIntegerField(choices=[(1, 'WeChat'), (2, 'WeCom')], default=1, verbose_name='type')),
                ('gender', models.PositiveSmallIntegerField(choices=[(0, 'unknown'), (1, 'male'), (2, 'female')], default=0, verbose_name='gender')),
                ('position', models.CharField(blank=True, max_length=128, verbose_name='position')),
                ('company', models.CharField(blank=True, max_length=128, verbose_name='company')),
                ('attributes', models.JSONField(blank=True, default=dict, verbose_name='attributes')),
                ('is_blocked', models.BooleanField(default=False, verbose_name='never write to')),
                ('live_follows', models.PositiveSmallIntegerField(default=0, verbose_name='followed by')),
                ('added_at', models.DateTimeField(null=True, verbose_name='added')),
                ('last_interaction_at', models.DateTimeField(null=True, verbose_name='last interaction')),
                ('created_at', models.DateTimeField(verbose_name='first seen')),
                ('updated_at', models.DateTimeField(verbose_name='updated')),
                ('corp', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.corp')),
                ('stage', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, to='customers.stage', verbose_name='stage')),
            ],
            options={
                'verbose_name': 'customer',
                'verbose_name_plural': 'customers',
                'indexes': [models.Index(fields=['corp', '-added_at', '-id'], name='customer_by_added'), models.Index(fields=['corp', 'updated_at', 'id'], name='customer_by_updated'), models.Index(condition=models.Q(('unionid', ''), _negated=True), fields=['corp', 'unionid'], name='customer_by_unionid')],
                'constraints': [models.UniqueConstraint(fields=('corp', 'external_userid'), name='customer_once_per_corp')],
            },
        ),
        migrations.CreateModel(
            name='Tag',
            fields=[
                ('id', models.AutoField(primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=64, verbose_name='name')),
                ('kind', models.CharField(choices=[('wecom', 'platform tag'), ('system', 'system tag'), ('auto', 'automatic tag')], default='system', max_length=8, verbose_name='kind')),
                ('wecom_id', models.CharField(blank=True, max_length=64, verbose_name='platform id')),
                ('order', models.BigIntegerField(default=0, verbose_name='order')),
                ('deleted_at', models.DateTimeField(blank=True, null=True, verbose_name='deleted')),
                ('corp', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.corp')),
                ('group', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='tags', to='customers.taggroup')),
            ],
            options={
                'verbose_name': 'tag',
                'verbose_name_plural': 'tags',
                'constraints': [models.UniqueConstraint(condition=models.Q(('wecom_id', ''), _negated=True), fields=('corp', 'wecom_id'), name='tag_once_per_platform_id'), models.UniqueConstraint(condition=models.Q(('deleted_at__isnull', True), ('wecom_id', '')), fields=('group', 'name'), name='own_tag_once_per_name')],
            },
        ),
        migrations.CreateModel(
            name='Follow',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('remark', models.CharField(blank=True, max_length=128, verbose_name='remark')),
                ('description', models.CharField(blank=True, max_length=512, verbose_name='description')),
                ('state', models.CharField(blank=True, max_length=64, verbose_name='channel')),
                ('add_way', models.PositiveSmallIntegerField(default=0, verbose_name='how added')),
                ('added_by', models.CharField(blank=True, max_length=64, verbose_name='added by')),
                ('added_at', models.DateTimeField(verbose_name='added')),
                ('status', models.CharField(choices=[('live', 'friends'), ('deleted_by_customer', 'deleted by the customer'), ('deleted_by_staff', 'deleted by staff'), ('transferred', 'handed over'), ('gone', 'no longer found on the platform')], default='live', max_length=20, verbose_name='status')),
                ('ended_at', models.DateTimeField(blank=True, null=True, verbose_name='ended')),
                ('is_owner', models.BooleanField(default=False, verbose_name='owner')),
                ('last_interaction_at', models.DateTimeField(null=True, verbose_name='last interaction')),
                ('corp', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.corp')),
                ('customer', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='follows', to='customers.customer')),
                ('staff', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='follows', to='tenancy.staff')),
            ],
            options={
                'verbose_name': 'follow',
                'verbose_name_plural': 'follows',
                'indexes': [models.Index(condition=models.Q(('status', 'live')), fields=['corp', 'staff', 'customer'], name='follow_live_by_staff'), models.Index(condition=models.Q(('status', 'live')), fields=['corp', 'customer', 'added_at'], name='follow_live_by_customer')],
                'constraints': [models.UniqueConstraint(fields=('customer', 'staff'), name='follow_once_per_pair'), models.UniqueConstraint(condition=models.Q(('is_owner', True)), fields=('customer',), name='one_owner_per_customer'), models.CheckConstraint(condition=models.Q(models.Q(('ended_at__isnull', True), ('status', 'live')), models.Q(models.Q(('status', 'live'), _negated=True), ('ended_at__isnull', False)), _connector='OR'), name='ended_follow_has_a_time')],
            },
        ),
        migrations.CreateModel(
            name='CustomerTagSet',
            fields=[
                ('customer', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='tag_set', serialize=False, to='customers.customer')),
                ('tag_ids', django.contrib.postgres.fields.ArrayField(base_field=models.IntegerField(), size=None)),
                ('corp', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.corp')),
            ],
            options={
                'indexes': [django.contrib.postgres.indexes.GinIndex(fields=['tag_ids'], name='tag_set_by_tag')],
            },
        ),
        migrations.CreateModel(
            name='SyncSighting',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('follow', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='customers.follow')),
                ('job', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='jobs.job')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('job', 'follow'), name='sighting_once_per_job')],
            },
        ),
        migrations.CreateModel(
            name='TagAssignment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('since', models.DateTimeField(verbose_name='since')),
                ('corp', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.corp')),
                ('customer', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='customers.customer')),
                ('follow', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='tag_assignments', to='customers.follow')),
                ('tag', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='customers.tag')),
            ],
            options={
                'verbose_name': 'tag assignment',
                'verbose_name_plural': 'tag assignments',
                'indexes': [models.Index(fields=['corp', 'tag', 'customer'], name='assignment_by_tag'), models.Index(condition=models.Q(('follow__isnull', False)), fields=['follow'], name='assignment_by_follow')],
                'constraints': [models.UniqueConstraint(fields=('customer', 'tag', 'follow'), name='tag_once_per_follow', nulls_distinct=False)],
            },
        ),
    ]
