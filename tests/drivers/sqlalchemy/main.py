"""SQLAlchemy's ORM as a service uses it: schema, relationships, unit of work, bulk, streams, both drivers."""

import asyncio
import sys
from pathlib import Path

from sqlalchemy import ForeignKey, create_engine, delete, exc, func, inspect, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, joinedload, mapped_column, relationship, selectinload

sys.path.insert(0, str(Path(__file__).parents[1]))
from steps import GUARDED, REFUSED, REFUSED_STATE, check, step, url


class Base(DeclarativeBase):
    pass


class Owner(Base):
    __tablename__ = "owners"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    items: Mapped[list["Item"]] = relationship(back_populates="owner", cascade="all, delete-orphan")


class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    price: Mapped[int] = mapped_column(default=0)
    owner_id: Mapped[int] = mapped_column(ForeignKey("owners.id"))
    owner: Mapped[Owner] = relationship(back_populates="items")


def write(session):
    step("unit of work")
    for number in range(50):
        owner = Owner(name=f"owner {number}")
        owner.items = [Item(title=f"item {number}.{n}", price=n) for n in range(20)]
        session.add(owner)
    session.commit()

    step("update, delete, cascade")
    first = session.scalars(select(Owner).where(Owner.name == "owner 0")).one()
    first.name = "renamed"
    first.items.pop()
    session.commit()
    session.delete(session.scalars(select(Owner).where(Owner.name == "owner 1")).one())
    session.commit()
    check(session.scalar(select(func.count()).select_from(Item)), 979)

    step("bulk and upsert")
    owner_id = first.id
    session.execute(insert(Item), [{"title": f"bulk {n}", "owner_id": owner_id} for n in range(3000)])
    upsert = insert(Owner).values(name="renamed").on_conflict_do_update(index_elements=["name"], set_={"name": "again"})
    session.execute(upsert)
    session.execute(update(Item).where(Item.price > 10).values(price=Item.price + 1))
    session.execute(delete(Item).where(Item.title.like("bulk%")))
    session.commit()


def read(session):
    step("loading strategies")
    joined = session.scalars(select(Owner).options(joinedload(Owner.items)).order_by(Owner.id)).unique().all()
    check(len(joined), 49)
    session.expire_all()
    apart = session.scalars(select(Owner).options(selectinload(Owner.items)).order_by(Owner.id)).all()
    check(sum(len(owner.items) for owner in apart), 979)

    step("page, group, window, stream")
    page = session.scalars(select(Item).order_by(Item.id).limit(25).offset(50)).all()
    check(len(page), 25)
    check(len(session.execute(select(Item.owner_id, func.sum(Item.price)).group_by(Item.owner_id)).all()), 49)
    rank = func.rank().over(partition_by=Item.owner_id, order_by=Item.price)
    check(len(session.execute(select(Item.id, rank).where(Item.price < 3)).all()), 147)
    check(sum(1 for _ in session.scalars(select(Item).execution_options(yield_per=100))), 979)

    step("savepoint")
    with session.begin_nested() as savepoint:
        session.execute(update(Item).where(Item.price == 0).values(price=-1))
        savepoint.rollback()
    check(session.scalar(select(func.count()).where(Item.price == -1)), 0)
    session.commit()


def refused(session):
    step("refused")
    try:
        session.execute(text(REFUSED))
        raise AssertionError("not refused")
    except exc.DBAPIError as error:
        check(error.orig.sqlstate, REFUSED_STATE)
    session.rollback()
    check(session.scalar(select(func.count()).select_from(Item)), 979)


async def asynchronous():
    step("async session")
    engine = create_async_engine(url("postgresql+asyncpg"))
    async with async_sessionmaker(engine)() as session:
        owners = (await session.scalars(select(Owner).options(selectinload(Owner.items)).limit(5))).all()
        check(len(owners), 5)
    await engine.dispose()


main = create_engine(url("postgresql+psycopg"), pool_size=3, pool_pre_ping=True)
step("schema")
Base.metadata.create_all(main)
check(sorted(inspect(main).get_table_names()), ["items", "owners"])
with Session(main) as opened:
    write(opened)
    read(opened)
    if GUARDED:
        refused(opened)
asyncio.run(asynchronous())
step("drop")
Base.metadata.drop_all(main)
main.dispose()
