"""API calls for users."""

from __future__ import annotations

from api.route import Call, Route
from api.schema.accounts import (
    PasswordLinkAnswer,
    PasswordLinkCreate,
    UserAnswer,
    UserChange,
    UserCreate,
    UserCreated,
    UserList,
    UserListParameters,
)
from api.schema.shape import EmptyBody, NoQuery, PageParameters
from router.errors import Refused
from router.filters import UserFilter


async def list_page(call: Call[EmptyBody, PageParameters]) -> UserList:
    query = call.query
    wanted = UserFilter.from_query(query.model_dump(by_alias=True))
    page = await call.services.users.list(call.actor, wanted, limit=query.limit, cursor=query.cursor)
    return UserList(users=[UserAnswer.from_model(user) for user in page.items], next_cursor=page.next_cursor)


async def create(call: Call[UserCreate, NoQuery]) -> UserCreated:
    users, body = call.services.users, call.body
    if not body.invite:
        return UserCreated.from_model(
            await users.create(
                call.actor,
                email=body.email,
                name=body.name,
                role=body.role,
                password=body.password,
                timezone=body.timezone,
            )
        )
    if body.password is not None:
        raise Refused("invalid_request", "password must be omitted with invite: the user chooses it", "password")
    return UserCreated.from_invitation(
        await users.invite(
            call.actor, email=body.email, name=body.name, role=body.role, timezone=body.timezone, mail=body.mail
        )
    )


async def create_password_link(call: Call[PasswordLinkCreate, NoQuery]) -> PasswordLinkAnswer:
    users = call.services.users
    return PasswordLinkAnswer.from_model(await users.password_link(call.actor, call.ids["id"], mail=call.body.mail))


async def show(call: Call[EmptyBody, NoQuery]) -> UserAnswer:
    return UserAnswer.from_model(await call.services.users.get(call.actor, call.ids["id"]))


async def change(call: Call[UserChange, NoQuery]) -> UserAnswer:
    body = call.body
    return UserAnswer.from_model(
        await call.services.users.change(
            call.actor,
            call.ids["id"],
            name=body.name,
            role=body.role,
            password=body.password,
            disabled=body.disabled,
            timezone=body.timezone,
            clear_timezone="timezone" in body.model_fields_set and body.timezone is None,
        )
    )


async def delete(call: Call[EmptyBody, NoQuery]) -> None:
    await call.services.users.delete(call.actor, call.ids["id"])


ROUTES = (
    Route("GET", "/users", "listUsers", list_page, "List users", "viewer", UserList, query=UserListParameters),
    Route(
        "POST",
        "/users",
        "createUser",
        create,
        "Create or invite a user",
        "admin",
        UserCreated,
        body=UserCreate,
        status=201,
        creates=True,
        errors=("conflict",),
    ),
    Route("GET", "/users/{id}", "getUser", show, "Get a user", "viewer", UserAnswer),
    Route(
        "PATCH",
        "/users/{id}",
        "updateUser",
        change,
        "Change a user",
        "admin",
        UserAnswer,
        body=UserChange,
        errors=("conflict",),
    ),
    Route(
        "POST",
        "/users/{id}/password-link",
        "createPasswordLink",
        create_password_link,
        "Create a password link",
        "admin",
        PasswordLinkAnswer,
        body=PasswordLinkCreate,
        errors=("conflict",),
    ),
    Route(
        "DELETE",
        "/users/{id}",
        "deleteUser",
        delete,
        "Delete a user",
        "admin",
        status=204,
        errors=("conflict",),
    ),
)
