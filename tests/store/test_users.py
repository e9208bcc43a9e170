import pytest
from samples import Sql

from ic3.domain.users import Role
from ic3.errors import StoreError
from ic3.store.pool import Database
from ic3.store.users import UserStore


@pytest.fixture
def store(database: Database) -> UserStore:
    return UserStore(database)


async def test_an_added_user_is_found_by_the_exact_name(store: UserStore) -> None:
    assert await store.add("आशा", "hash", Role.ENGINEER)
    user = await store.find("आशा")
    assert user is not None
    assert (user.username, user.password_hash, user.role) == ("आशा", "hash", Role.ENGINEER)
    assert await store.find("asha") is None
    assert await store.find("' OR true --") is None


async def test_a_name_is_given_once(store: UserStore) -> None:
    assert await store.add("asha", "first", Role.VIEWER)
    assert not await store.add("asha", "second", Role.ADMIN)
    user = await store.find("asha")
    assert user is not None
    assert (user.password_hash, user.role) == ("first", Role.VIEWER)


async def test_a_new_hash_replaces_that_of_one_user_only(store: UserStore) -> None:
    await store.add("asha", "old", Role.VIEWER)
    await store.add("ravi", "other", Role.VIEWER)
    user = await store.find("asha")
    assert user is not None
    await store.rehash(user.user_id, "new")
    renewed, other = await store.find("asha"), await store.find("ravi")
    assert renewed is not None
    assert other is not None
    assert (renewed.password_hash, other.password_hash) == ("new", "other")


async def test_a_disabled_user_is_not_found_and_is_no_admin(store: UserStore, sql: Sql) -> None:
    await store.add("root", "hash", Role.ADMIN)
    assert await store.has_admin()
    sql("UPDATE ic3_user SET disabled_at = now()")
    assert await store.find("root") is None
    assert not await store.has_admin()
    assert not await store.add("root", "hash", Role.ADMIN)


async def test_without_an_admin_there_is_none(store: UserStore) -> None:
    assert not await store.has_admin()
    await store.add("asha", "hash", Role.ENGINEER)
    assert not await store.has_admin()


async def test_a_name_that_postgresql_cannot_hold_is_refused_in_our_words(
    store: UserStore,
) -> None:
    with pytest.raises(StoreError, match=r"^database: "):
        await store.find("a\0b")


async def test_every_role_can_be_stored(store: UserStore) -> None:
    for role in Role:
        assert await store.add(role.value, "hash", role)
        user = await store.find(role.value)
        assert user is not None
        assert user.role is role
