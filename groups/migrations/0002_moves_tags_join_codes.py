import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('groups', '0001_initial'),
        ('tenancy', '0002_staff_leaving'),
    ]

    operations = [
        migrations.CreateModel(
            name='GroupTag',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=64, verbose_name='name')),
                ('corp', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.corp')),
            ],
            options={
                'verbose_name': 'group tag',
                'verbose_name_plural': 'group tags',
                'constraints': [models.UniqueConstraint(fields=('corp', 'name'), name='group_tag_once_per_corp')],
            },
        ),
        migrations.CreateModel(
            name='JoinCode',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=64, verbose_name='name')),
                ('state', models.CharField(max_length=30, verbose_name='channel')),
                ('is_growing', models.BooleanField(default=True, verbose_name='open another chat when all are full')),
                ('base_name', models.CharField(blank=True, max_length=40, verbose_name='name of new chats')),
                ('base_id', models.PositiveIntegerField(default=1, verbose_name='first number')),
                ('config_id', models.CharField(blank=True, max_length=64, verbose_name='platform id')),
                ('qr_url', models.CharField(blank=True, max_length=512)),
                ('picture', models.BinaryField(null=True)),
                ('picture_type', models.CharField(blank=True, max_length=32)),
                ('status', models.CharField(choices=[('creating', 'being made'), ('active', 'in use'), ('failed', 'refused'), ('empty', 'no chat left to enter'), ('deleted', 'deleted')], default='creating', max_length=8, verbose_name='status')),
                ('problem', models.TextField(blank=True, verbose_name='problem')),
                ('created_by', models.CharField(blank=True, max_length=80)),
                ('created_at', models.DateTimeField(verbose_name='created')),
                ('deleted_at', models.DateTimeField(null=True, verbose_name='deleted')),
                ('chats', models.ManyToManyField(related_name='join_codes', to='groups.groupchat', verbose_name='chats')),
                ('corp', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.corp')),
            ],
            options={
                'verbose_name': 'join code',
                'verbose_name_plural': 'join codes',
                'constraints': [models.UniqueConstraint(fields=('corp', 'state'), name='join_code_once_per_state')],
            },
        ),
        migrations.CreateModel(
            name='MemberMove',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('member_id', models.CharField(max_length=64, verbose_name='platform id')),
                ('is_staff', models.BooleanField(default=False, verbose_name='staff')),
                ('kind', models.CharField(choices=[('joined', 'joined'), ('left', 'left')], max_length=6, verbose_name='kind')),
                ('at', models.DateTimeField(verbose_name='at')),
                ('join_scene', models.PositiveSmallIntegerField(default=0, verbose_name='how joined')),
                ('state', models.CharField(blank=True, max_length=64, verbose_name='channel')),
                ('was_removed', models.BooleanField(default=False, verbose_name='removed by the owner')),
                ('is_inferred', models.BooleanField(default=False, verbose_name='found by reading')),
                ('chat', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='moves', to='groups.groupchat')),
                ('corp', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenancy.corp')),
            ],
            options={
                'verbose_name': 'member move',
                'verbose_name_plural': 'member moves',
                'indexes': [models.Index(fields=['chat', 'at'], name='member_move_by_chat'), models.Index(fields=['corp', 'at'], name='member_move_by_corp'), models.Index(condition=models.Q(('state', ''), _negated=True), fields=['corp', 'state'], name='member_move_by_state')],
                'constraints': [models.UniqueConstraint(fields=('chat', 'member_id', 'kind', 'at'), name='member_move_once')],
            },
        ),
        migrations.AddField(
            model_name='groupchat',
            name='read_at',
            field=models.DateTimeField(null=True, verbose_name='known as of'),
        ),
        migrations.AddField(
            model_name='groupchat',
            name='tags',
            field=models.ManyToManyField(blank=True, to='groups.grouptag', verbose_name='tags'),
        ),
    ]
