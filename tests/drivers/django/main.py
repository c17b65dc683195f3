"""Django's ordinary use: migrations, CRUD, bulk, relations, pages, sessions, the admin, transactions."""

import os
import sys
from pathlib import Path

here = Path(__file__).parent
sys.path[:0] = [str(here), str(here.parent)]
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"

import django

django.setup()

from django.contrib.auth.models import Group, User
from django.contrib.sessions.backends.db import SessionStore
from django.core.management import call_command
from django.core.paginator import Paginator
from django.db import DatabaseError, connection, transaction
from django.db.models import Avg, Count, F, OuterRef, Prefetch, Q, Subquery
from django.test import Client
from steps import GUARDED, REFUSED_STATE, check, step

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


def site():
    step("sessions and users")
    session = SessionStore()
    session["cart"] = [1, 2, 3]
    session.save()
    check(SessionStore(session.session_key)["cart"], [1, 2, 3])
    call_command("clearsessions")
    User.objects.create_superuser("root", password="x").groups.add(Group.objects.create(name="staff"))

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


def tools():
    step("dumpdata, flush, reset")
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
transactions()
site()
tools()
if GUARDED:
    refused()
connection.close()
