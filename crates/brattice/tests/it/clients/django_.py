import io
import os
import django
from django.conf import settings

settings.configure(
    DATABASES={"default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": os.environ["PGDATABASE"], "USER": os.environ["PGUSER"], "PASSWORD": os.environ["PGPASSWORD"],
        "HOST": os.environ["PGHOST"], "PORT": os.environ["PGPORT"], "CONN_HEALTH_CHECKS": True,
    }},
    INSTALLED_APPS=["django.contrib.postgres"], USE_TZ=True, TIME_ZONE="UTC", DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
)
django.setup()
from django.core.management import call_command
from django.db import connection, models, transaction

def told(what, value):
    print(what, repr(value))

class Order(models.Model):
    item = models.TextField()
    total = models.DecimalField(max_digits=10, decimal_places=2)
    status = models.TextField()
    placed_at = models.DateTimeField()
    extra = models.JSONField()
    class Meta:
        app_label = "shop"
        db_table = "orders"
        managed = False

told("version", connection.pg_version)
told("tables", sorted(connection.introspection.table_names()))
out = io.StringIO()
call_command("inspectdb", "orders", "notes", "customers", stdout=out)
print(out.getvalue())
with connection.cursor() as cur:
    told("constraints", sorted(connection.introspection.get_constraints(cur, "orders").items(), key=lambda k: k[0]))
told("all", list(Order.objects.order_by("id").values_list("id", "item", "total")))
told("filter", list(Order.objects.filter(item__icontains="e", total__gt=50).exclude(status="x").order_by("-total").values("id")))
told("aggregate", Order.objects.aggregate(models.Sum("total"), models.Count("id")))
told("group", list(Order.objects.values("status").annotate(n=models.Count("id")).order_by("status")))
told("json", Order.objects.filter(extra__has_key="a").count())
told("dates", list(Order.objects.dates("placed_at", "month")))
told("exists", Order.objects.filter(pk=1).exists())
told("get", Order.objects.get(pk=2).item)
told("iterator", len(list(Order.objects.order_by("id").iterator(chunk_size=2))))
with transaction.atomic():
    with transaction.atomic():
        told("nested", Order.objects.count())
told("explain", "Scan" in Order.objects.filter(pk=1).explain())
