"""FastAPI Users: JWT strategy, users in SQLite, bcrypt as everywhere here."""

import os
import uuid
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, FastAPI
from fastapi_users import BaseUserManager, FastAPIUsers, UUIDIDMixin, schemas
from fastapi_users.authentication import AuthenticationBackend, BearerTransport, JWTStrategy
from fastapi_users.db import SQLAlchemyBaseUserTableUUID, SQLAlchemyUserDatabase
from fastapi_users.password import PasswordHelper
from pwdlib import PasswordHash
from pwdlib.hashers.bcrypt import BcryptHasher
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase

SECRET = "a benchmark's secret, long enough for HS256"
engine = create_async_engine(f"sqlite+aiosqlite:///{os.environ['BENCH_FOLDER']}/fastapi.db")
new_session = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


class User(SQLAlchemyBaseUserTableUUID, Base):
    pass


class UserManager(UUIDIDMixin, BaseUserManager[User, uuid.UUID]):
    pass


async def session() -> AsyncIterator[AsyncSession]:
    async with new_session() as opened:
        yield opened


async def user_manager(
    opened: Annotated[AsyncSession, Depends(session)],
) -> AsyncIterator[UserManager]:
    hashing = PasswordHelper(PasswordHash((BcryptHasher(rounds=12),)))
    yield UserManager(SQLAlchemyUserDatabase(opened, User), hashing)


backend = AuthenticationBackend(
    name="jwt",
    transport=BearerTransport(tokenUrl="login"),
    get_strategy=lambda: JWTStrategy(secret=SECRET, lifetime_seconds=3600),
)
users = FastAPIUsers[User, uuid.UUID](user_manager, [backend])
app = FastAPI()
app.include_router(users.get_auth_router(backend))
app.include_router(users.get_register_router(schemas.BaseUser[uuid.UUID], schemas.BaseUserCreate))


@app.on_event("startup")
async def make_tables() -> None:
    async with engine.begin() as connection:
        await connection.run_sync(lambda sync: Base.metadata.create_all(sync, checkfirst=True))


@app.get("/resource")
async def resource(
    _user: Annotated[User, Depends(users.current_user(active=True))],
) -> dict[str, str]:
    return {"message": "akses sukses"}
