"""SQLAlchemy's ORM as a service uses it: schema, relationships, unit of work, bulk, streams, both drivers."""

import asyncio
import sys
from pathlib import Path

from sqlalchemy import (
    JSON,
    Column,
    DateTime,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    bindparam,
    case,
    create_engine,
    delete,
    exc,
    exists,
    func,
    inspect,
    lateral,
    literal,
    select,
    text,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, joinedload, mapped_column, relationship, selectinload, subqueryload

sys.path.insert(0, str(Path(__file__).parents[1]))
from steps import GUARDED, REFUSED, REFUSED_STATE, check, size, step, url


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


def queries(session):
    step("get, first, one_or_none, exists, count")
    first = session.scalars(select(Item).order_by(Item.id)).first()
    check(session.get(Item, first.id, populate_existing=True).id, first.id)
    check(session.scalars(select(Item).where(Item.title == "no such")).one_or_none(), None)
    check(session.scalar(select(exists().where(Item.price > 3))), True)
    check(session.query(Item).filter(Item.price.in_([1, 2, 3])).count(), 147)
    check(session.query(Item.price).distinct().filter(Item.price.between(0, 3)).count(), 4)

    step("subquery loading, joins, filters over relations")
    session.expire_all()
    loaded = session.scalars(select(Owner).options(subqueryload(Owner.items)).where(Owner.name.ilike("owner 1%"))).all()
    check(len(loaded), 10)
    check(len(session.scalars(select(Owner).where(Owner.items.any(Item.price == 19))).all()), 49)
    check(len(session.scalars(select(Item).where(Item.owner.has(Owner.name == "owner 7"))).all()), 20)
    check(len(session.execute(select(Owner.name, Item.title).join(Item.owner).limit(7)).all()), 7)
    check(len(session.execute(select(Owner, Item).outerjoin(Item).where(Item.price == 4)).all()), 49)

    step("CTE, set operation, lateral, case, tuple")
    cheap = select(Item.owner_id, func.min(Item.price).label("least")).group_by(Item.owner_id).cte("cheap")
    check(len(session.execute(select(Owner.name).join(cheap, cheap.c.owner_id == Owner.id)).all()), 49)
    both = union_all(select(Item.id).where(Item.price == 1), select(Item.id).where(Item.price == 2))
    check(len(session.execute(both).all()), 98)
    top = lateral(select(Item.title).where(Item.owner_id == Owner.id).order_by(Item.price.desc()).limit(1))
    check(len(session.execute(select(Owner.name, top.c.title).join(top, literal(True)).limit(5)).all()), 5)
    label = case((Item.price < 5, "cheap"), (Item.price < 10, "fair"), else_="dear")
    check(len(session.execute(select(label, func.count()).group_by(label)).all()), 3)
    pairs = select(func.count()).select_from(Item).where(tuple_(Item.price, Item.title).in_([(1, "item 0.1"), (2, "x")]))
    check(session.scalar(pairs), 1)

    step("locks")
    session.scalars(select(Owner).where(Owner.name == "owner 7").with_for_update(skip_locked=True)).one()
    session.scalars(select(Item).where(Item.price == 7).limit(3).with_for_update(read=True, of=Item)).all()
    session.commit()


def bulk(session):
    step("insertmanyvalues, bulk update, upserts, RETURNING")
    owner_id = session.scalar(select(Owner.id).where(Owner.name == "owner 7"))
    rows = [{"title": f"returned {n}", "owner_id": owner_id} for n in range(1000)]
    made = session.scalars(insert(Item).returning(Item.id), rows).all()
    check(len(made), 1000)
    session.execute(update(Item), [{"id": key, "price": 5} for key in made[:100]])
    session.bulk_insert_mappings(Item, [{"title": "returned too", "owner_id": owner_id} for _ in range(10)])
    values = insert(Owner).values([{"name": f"many {n}"} for n in range(500)])
    session.execute(values.on_conflict_do_nothing(index_elements=["name"]))
    again = insert(Owner).values([{"name": "many 1"}, {"name": "many 2"}])
    session.execute(again.on_conflict_do_update(index_elements=["name"], set_={"name": again.excluded.name}).returning(Owner.id))
    check(session.execute(delete(Item).where(Item.id.in_(made)).returning(Item.id)).all().__len__(), 1000)
    session.execute(delete(Item).where(Item.title == "returned too"))
    session.execute(delete(Owner).where(~Owner.items.any(), Owner.name.startswith("many")))
    session.commit()


def core():
    step("Core, streams, autocommit")
    items = Item.__table__
    with main.connect() as connection:
        check(connection.execute(select(items.c.id).where(items.c.price == bindparam("p")), {"p": 3}).all().__len__(), 49)
        stream = connection.execution_options(stream_results=True, max_row_buffer=100).execute(select(items))
        check(sum(len(part) for part in stream.partitions(200)), 979)
        connection.rollback()
    with main.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("SELECT 1"))
    with main.connect().execution_options(isolation_level="SERIALIZABLE") as connection:
        connection.execute(text("SELECT count(*) FROM items WHERE price > :p"), {"p": 3})


def migrations():
    step("DDL as migrations write it")
    with main.begin() as connection:
        for statement in [
            "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))",
            "ALTER TABLE items ADD COLUMN note VARCHAR(40) DEFAULT '' NOT NULL",
            "CREATE INDEX ix_items_price ON items (price)",
            "INSERT INTO alembic_version (version_num) VALUES ('1a2b3c') RETURNING alembic_version.version_num",
            "SELECT alembic_version.version_num FROM alembic_version",
            "UPDATE alembic_version SET version_num='4d5e6f' WHERE alembic_version.version_num = '1a2b3c'",
            "ALTER TABLE items ALTER COLUMN note TYPE VARCHAR(80)",
            "ALTER TABLE items RENAME note TO remark",
            "COMMENT ON TABLE items IS 'what owners own'",
            "DELETE FROM alembic_version WHERE alembic_version.version_num = '4d5e6f'",
            "DROP INDEX ix_items_price",
            "ALTER TABLE items DROP COLUMN remark",
            "DROP TABLE alembic_version",
        ]:
            connection.exec_driver_sql(statement)
    extra = Table("extra", MetaData(), Column("id", Integer, primary_key=True), Column("at", DateTime, server_default=func.now()), Column("data", JSON), Column("name", String(20), index=True))
    extra.create(main)
    extra.drop(main)

    step("reflection")
    seen = inspect(main)
    for table in seen.get_table_names():
        seen.get_columns(table), seen.get_pk_constraint(table), seen.get_foreign_keys(table)
        seen.get_indexes(table), seen.get_unique_constraints(table), seen.get_check_constraints(table)
        check(seen.has_table(table), True)
    seen.get_view_names(), seen.get_schema_names(), seen.get_sequence_names()
    reflected = MetaData()
    reflected.reflect(main)
    check(sorted(reflected.tables), ["items", "owners"])


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
    queries(opened)
    bulk(opened)
    for table in Base.metadata.sorted_tables:
        size(table.name, opened.scalar(select(func.count()).select_from(table)))
    core()
    opened.rollback()
    migrations()
    if GUARDED:
        refused(opened)
asyncio.run(asynchronous())
step("drop")
Base.metadata.drop_all(main)
main.dispose()
