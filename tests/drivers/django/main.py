"""Django's ordinary use: migrations, CRUD, bulk, relations, pages, sessions, the admin, transactions."""

import os
import sys
from pathlib import Path

here = Path(__file__).parent
sys.path[:0] = [str(here), str(here.parent)]
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"

import django

django.setup()

from django.apps import apps
from django.contrib.auth.models import Group, Permission, User
from django.contrib.sessions.backends.db import SessionStore
from django.core.management import call_command
from django.core.paginator import Paginator
from django.db import DatabaseError, connection, transaction
from django.db.models import Avg, Case, Count, Exists, F, Max, Min, OuterRef, Prefetch, Q, Subquery, Sum, Value, When, Window
from django.db.models.functions import Coalesce, Lower, RowNumber, TruncMonth
from django.test import Client
from steps import GUARDED, REFUSED_STATE, check, size, step

from shop.models import Author, Book, Tag


def schema():
    step("migrate")
    call_command("migrate", verbosity=0)
    # The app has no migrations of its own in the repository: made and run as a developer does it.
    call_command("migrate", run_syncdb=True, verbosity=0)
    call_command("check", databases=["default"])
    call_command("inspectdb", stdout=open(os.devnull, "w"))


def write():
    step("create and bulk_create")
    authors = Author.objects.bulk_create([Author(name=f"author {n}") for n in range(200)])
    Book.objects.bulk_create(
        [Book(title=f"book {n}", author=authors[n % 200], price=n % 50) for n in range(12_000)], batch_size=2000
    )
    tags = [Tag.objects.create(name=f"tag-{n}") for n in range(10)]
    for book in Book.objects.order_by("id")[:100]:
        book.tags.add(*tags[: book.id % 10])

    step("update, bulk_update, upsert")
    Book.objects.filter(price__gt=45).update(price=F("price") + 1)
    some = list(Book.objects.order_by("id")[:500])
    for book in some:
        book.extra = {"n": book.id}
    Book.objects.bulk_update(some, ["extra"], batch_size=100)
    Author.objects.update_or_create(name="author 1", defaults={"born": "1970-01-01"})
    Tag.objects.get_or_create(name="tag-0")
    Tag.objects.bulk_create([Tag(name="tag-1")], ignore_conflicts=True)

    step("delete with cascade")
    Author.objects.get(name="author 199").delete()
    Book.objects.filter(title="book 0").delete()
    Author.objects.filter(name__in=["author 197", "author 198"]).delete()


def read():
    step("select_related and prefetch_related")
    books = Book.objects.select_related("author").prefetch_related("tags").filter(author__name="author 5")
    check(len({book.author.name for book in books}), 1)
    prefetch = Prefetch("books", queryset=Book.objects.filter(price__lt=5))
    check(Author.objects.prefetch_related(prefetch).count(), 197)
    check(len(list(Author.objects.prefetch_related(prefetch))), 197)

    step("aggregates and subqueries")
    check(len(Author.objects.annotate(n=Count("books"), mean=Avg("books__price")).filter(n__gt=0)), 197)
    newest = Book.objects.filter(author=OuterRef("pk")).order_by("-id")
    check(Author.objects.annotate(last=Subquery(newest.values("title")[:1])).filter(last__isnull=False).count(), 197)
    check(Book.objects.filter(Q(title="book 7") | Q(extra__n=3)).exists(), True)

    step("pages, iterator, values")
    pages = Paginator(Book.objects.all(), 50)
    check(len(pages.page(3).object_list), 50)
    check(sum(1 for _ in Book.objects.iterator(chunk_size=1000)), Book.objects.count())
    check(len(Author.objects.values_list("id", flat=True)), 197)
    check(Book.objects.in_bulk([book.id for book in Book.objects.all()[:30]]).__len__(), 30)
    Book.objects.first(), Book.objects.last(), Book.objects.earliest("created"), Book.objects.dates("created", "year")


def queries():
    step("get, first, last, latest, exists, count")
    book = Book.objects.get(title="book 7")
    check(Book.objects.filter(pk=book.pk).first(), book)
    check(Book.objects.filter(author=book.author).latest("created").author_id, book.author_id)
    check(Book.objects.filter(price__range=(3, 5), title__icontains="9").exists(), True)
    check(Book.objects.filter(title="no such").first(), None)
    check(Book.objects.none().count(), 0)
    check(Author.objects.filter(pk__in=[]).count(), 0)
    check(len(Book.objects.exclude(price=0).order_by("-price", "title")[10:20]), 10)
    book.refresh_from_db(fields=["price"])
    book.author.books.filter(price__gte=1).count(), book.tags.all().count()

    step("aggregate, annotate, values, distinct, dates")
    Book.objects.aggregate(Sum("price"), Max("price"), n=Count("id"), least=Min("price"))
    check(len(Book.objects.values("price").annotate(n=Count("id")).order_by("price")[:5]), 5)
    check(len(Book.objects.order_by("price").values_list("price", flat=True).distinct()), 50)
    check(len(Book.objects.order_by("author_id", "price").distinct("author_id")), 197)
    Book.objects.annotate(month=TruncMonth("created")).values("month").annotate(n=Count("id")).order_by("month")[:12].__len__()
    kind = Case(When(price__lt=5, then=Value("cheap")), default=Value("dear"))
    check(len(Book.objects.values(kind=kind).annotate(n=Count("id"))), 2)
    check(len(Author.objects.annotate(sold=Coalesce(Sum("books__price"), Value(0, output_field=Book._meta.get_field("price")))).filter(name__lt="author 12")), 24)

    step("F, Q, Exists, window, union, raw, extra lookups")
    dear = Book.objects.filter(author=OuterRef("pk"), price__gt=45)
    check(Author.objects.filter(Exists(dear)).count() > 0, True)
    check(Author.objects.filter(~Exists(dear) & ~Q(name="x")).count() > 0, True)
    rank = Window(RowNumber(), partition_by=F("author_id"), order_by=F("price").desc())
    check(len(Book.objects.annotate(rank=rank).filter(author__name="author 5")), 60)
    check(len(Book.objects.annotate(rank=rank).filter(rank=1)[:10]), 10)
    check(Author.objects.filter(name="author 5").union(Author.objects.filter(name="author 6")).count(), 2)
    check(len(list(Author.objects.raw("SELECT * FROM shop_author WHERE name = %s", ["author 5"]))), 1)
    check(Book.objects.filter(extra__has_key="n").count(), 493)
    check(Author.objects.annotate(low=Lower("name")).filter(low__startswith="author 19").count(), 8)
    check(Book.objects.filter(author__name__in=["author 5", "author 6"], tags__isnull=True).count() >= 0, True)
    str(Book.objects.filter(price=F("author_id")).explain())
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM shop_book WHERE price > %s", [3])
        cursor.executemany("INSERT INTO shop_tag (name) VALUES (%s)", [[f"many-{n}"] for n in range(5)])

    step("only, defer, in_bulk, iterator, async-like pages")
    Book.objects.only("title").get(pk=book.pk).price, Book.objects.defer("extra").get(pk=book.pk)
    check(len(Tag.objects.in_bulk(["tag-1", "tag-2"], field_name="name")), 2)
    check(sum(1 for _ in Book.objects.filter(price=3).values_list("id").iterator(chunk_size=100)), 240)
    check(len(list(Tag.objects.prefetch_related("books__author").filter(name__startswith="tag-"))), 10)
    seen = 0
    while page := list(Book.objects.filter(pk__gt=seen, price=3).order_by("pk")[:100]):
        seen = page[-1].pk


def writes():
    step("bulk_create, bulk_update, upsert")
    author = Author.objects.first()
    made = Book.objects.bulk_create([Book(title=f"bulk {n}", author=author, price=1) for n in range(1000)])
    for book in made[:500]:
        book.price, book.title = 2, f"again {book.pk}"
    check(Book.objects.bulk_update(made[:500], ["price", "title"]), 500)
    fresh = [Tag(name=f"tag-{n}") for n in range(20)]
    Tag.objects.bulk_create(fresh, update_conflicts=True, unique_fields=["name"], update_fields=["name"])
    Author.objects.get_or_create(name="late", defaults={"born": "1999-01-01"})
    Author.objects.update_or_create(name="late", defaults={"born": "1999-01-02"})
    one = Book(title="one", author=author)
    one.save()
    one.price = F("price") + 1
    one.save(update_fields=["price"])
    one.tags.set(Tag.objects.filter(name__in=["tag-1", "tag-2"]))
    one.tags.remove(Tag.objects.get(name="tag-1"))
    one.tags.clear()
    one.delete()

    step("update and delete of a queryset")
    Book.objects.filter(title__startswith="again").update(price=Case(When(price=2, then=3), default=4))
    Book.objects.filter(pk__in=Book.objects.filter(title__startswith="again").values("pk")).update(extra={})
    check(Book.objects.filter(Q(title__startswith="bulk") | Q(title__startswith="again")).delete()[0], 1000)
    Tag.objects.filter(name__startswith="many-").delete()
    Author.objects.filter(books__isnull=True, name="late").delete()


def transactions():
    step("transactions")
    with transaction.atomic():
        locked = Author.objects.select_for_update().get(name="author 5")
        try:
            with transaction.atomic():
                Author.objects.filter(pk=locked.pk).update(name="lost")
                raise ValueError
        except ValueError:
            pass
        locked.born = "1980-02-03"
        locked.save()
    check(Author.objects.get(name="author 5").born.year, 1980)
    with transaction.atomic(), transaction.atomic():
        check(len(Book.objects.select_for_update(skip_locked=True, of=("self",)).filter(price=3)[:10]), 10)
        check(Author.objects.select_for_update(nowait=True, no_key=True).filter(name="author 6").count(), 1)
        with transaction.atomic(savepoint=False):
            Author.objects.filter(name="author 6").update(born="1981-01-01")
        transaction.on_commit(lambda: None)


def site():
    step("sessions and users")
    session = SessionStore()
    session["cart"] = [1, 2, 3]
    session.save()
    check(SessionStore(session.session_key)["cart"], [1, 2, 3])
    call_command("clearsessions")
    User.objects.create_superuser("root", password="x").groups.add(Group.objects.create(name="staff"))

    step("permissions")
    call_command("createsuperuser", interactive=False, username="cli", email="cli@example.org", verbosity=0)
    clerk = User.objects.create_user("clerk", password="x")
    clerk.user_permissions.add(Permission.objects.get(codename="view_book"))
    clerk.groups.add(Group.objects.get(name="staff"))
    clerk = User.objects.get(username="clerk")
    check((clerk.has_perm("shop.view_book"), clerk.has_perm("shop.delete_book")), (True, False))
    check(User.objects.filter(groups__name="staff", is_active=True).count(), 2)
    session.set_expiry(-1)
    session.save()
    call_command("clearsessions")

    step("admin")
    client = Client()
    assert client.login(username="root", password="x")
    author = Author.objects.get(name="author 7")
    pages = ["", "shop/book/", "shop/book/?q=author+7", f"shop/book/?author__id__exact={author.pk}&p=1", "shop/book/?o=2.-3"]
    pages += ["shop/author/add/", f"shop/author/{author.pk}/change/", f"shop/author/{author.pk}/delete/", "auth/user/"]
    for page in pages:
        check(client.get(f"/admin/{page}").status_code, 200)
    delete = {"action": "delete_selected", "_selected_action": [author.pk], "post": "yes"}
    check(client.post("/admin/shop/author/", delete).status_code, 302)
    check(Author.objects.filter(pk=author.pk).exists(), False)
    tag = Tag.objects.get(name="tag-3")
    assert tag.books.count() >= 0
    more = ["shop/book/?q=book&p=3", "shop/book/?created__year=2026", "shop/author/?q=author+1&o=-1", "auth/group/"]
    more += ["auth/user/?is_staff__exact=1", "auth/user/add/", f"auth/user/{User.objects.get(username='clerk').pk}/change/"]
    for page in more:
        check(client.get(f"/admin/{page}").status_code, 200)
    change = {"name": "renamed", "born": "1990-01-01", "books-TOTAL_FORMS": 0, "books-INITIAL_FORMS": 0}
    check(client.post("/admin/shop/author/add/", change).status_code, 302)
    client.logout()


def tools():
    for model in apps.get_models(include_auto_created=True):
        size(model._meta.db_table, model.objects.count())

    step("dumpdata, flush, reset")
    call_command("showmigrations", stdout=open(os.devnull, "w"))
    call_command("dumpdata", "auth", "contenttypes", stdout=open(os.devnull, "w"))
    call_command("dumpdata", "shop.Tag", stdout=open(os.devnull, "w"))
    call_command("flush", interactive=False, verbosity=0)
    check(Book.objects.count(), 0)


def refused():
    step("refused")
    Tag.objects.create(name="stays")
    try:
        with transaction.atomic():
            Tag.objects.create(name="goes")
            with connection.cursor() as cursor:
                cursor.execute("DELETE FROM shop_book_tags")
        raise AssertionError("not refused")
    except DatabaseError as error:
        check(error.__cause__.sqlstate, REFUSED_STATE)
    check(list(Tag.objects.values_list("name", flat=True)), ["stays"])


schema()
write()
read()
queries()
writes()
transactions()
site()
tools()
if GUARDED:
    refused()
connection.close()
