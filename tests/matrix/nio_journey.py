"""A stock Matrix client's day: matrix-nio signs in, talks, uploads, pages back and leaves.

Takes HAECHI_URL, HAECHI_USER_A, HAECHI_USER_B and HAECHI_PASSWORD. Ends with 0 when every step passed, and with a
message and 1 at the first that did not.
"""

import asyncio
import io
import sys

import nio
from nio_steps import PASSWORD, URL, USERS, StepFailed, expect, same, sync_until

MESSAGES = 30


async def sign_in(user):
    client = nio.AsyncClient(URL, user)
    answer = expect(await client.login(PASSWORD, device_name="nio journey"), nio.LoginResponse)
    same(answer.user_id, user, "the user id of the login")
    who = expect(await client.whoami(), nio.WhoamiResponse)
    same(who.user_id, user, "whoami")
    return client


async def refuse_a_wrong_password(user):
    client = nio.AsyncClient(URL, user)
    answer = expect(await client.login("not the password", device_name="thief"), nio.LoginError)
    same(answer.status_code, "M_FORBIDDEN", "a wrong password")
    await client.close()


async def open_room(minji, joon):
    created = expect(
        await minji.room_create(name="Lunch", topic="where to eat", invite=[joon.user_id], is_direct=True),
        nio.RoomCreateResponse,
    )
    room_id = created.room_id
    await sync_until(joon, lambda: room_id in joon.invited_rooms, "the invitation")
    expect(await joon.join(room_id), nio.JoinResponse)
    room = await sync_until(joon, lambda: joon.rooms.get(room_id), "the joined room")
    same(room.name, "Lunch", "the room's name")
    members = expect(await joon.joined_members(room_id), nio.JoinedMembersResponse)
    same(sorted(member.user_id for member in members.members), sorted(USERS), "the members")
    return room_id


async def talk(minji, joon, room_id):
    heard = []
    joon.add_event_callback(lambda _, event: heard.append(event), nio.RoomMessageText)
    waiting = asyncio.create_task(sync_until(joon, lambda: heard, "the live message"))
    sent = expect(
        await minji.room_send(room_id, "m.room.message", {"msgtype": "m.text", "body": "점심 먹자"}, tx_id="once"),
        nio.RoomSendResponse,
    )
    await waiting
    same(heard[0].body, "점심 먹자", "the message")
    again = expect(
        await minji.room_send(room_id, "m.room.message", {"msgtype": "m.text", "body": "점심 먹자"}, tx_id="once"),
        nio.RoomSendResponse,
    )
    same(again.event_id, sent.event_id, "the same transaction id")
    expect(await joon.room_read_markers(room_id, sent.event_id, sent.event_id), nio.RoomReadMarkersResponse)
    expect(await joon.room_typing(room_id, True, timeout=5_000), nio.RoomTypingResponse)
    await sync_until(
        minji,
        lambda: joon.user_id in minji.rooms[room_id].typing_users
        and joon.user_id in minji.rooms[room_id].read_receipts,
        "typing and the receipt",
    )
    return sent.event_id


async def page_back(minji, room_id, first_event):
    for number in range(MESSAGES):
        content = {"msgtype": "m.text", "body": f"message {number}"}
        expect(await minji.room_send(room_id, "m.room.message", content), nio.RoomSendResponse)
    bodies, token = [], None
    while True:
        page = expect(
            await minji.room_messages(room_id, start=token or "", direction=nio.MessageDirection.back, limit=7),
            nio.RoomMessagesResponse,
        )
        bodies += [event.body for event in page.chunk if isinstance(event, nio.RoomMessageText)]
        if not page.end or not page.chunk:
            break
        token = page.end
    same(bodies, [f"message {number}" for number in reversed(range(MESSAGES))] + ["점심 먹자"], "all pages back")
    found = expect(await minji.room_get_event(room_id, first_event), nio.RoomGetEventResponse)
    same(found.event.event_id, first_event, "one event by its id")


async def state_and_profile(minji, joon, room_id):
    expect(await minji.set_displayname("Minji Kim"), nio.ProfileSetDisplayNameResponse)
    profile = expect(await joon.get_displayname(minji.user_id), nio.ProfileGetDisplayNameResponse)
    same(profile.displayname, "Minji Kim", "the new display name")
    expect(await minji.room_put_state(room_id, "m.room.topic", {"topic": "dinner"}), nio.RoomPutStateResponse)
    topic = expect(await joon.room_get_state_event(room_id, "m.room.topic"), nio.RoomGetStateEventResponse)
    same(topic.content, {"topic": "dinner"}, "the topic")
    event_id = expect(
        await minji.room_send(room_id, "m.room.message", {"msgtype": "m.text", "body": "a slip"}),
        nio.RoomSendResponse,
    ).event_id
    expect(await minji.room_redact(room_id, event_id, reason="a slip"), nio.RoomRedactResponse)
    found = expect(await joon.room_get_event(room_id, event_id), nio.RoomGetEventResponse)
    same(type(found.event), nio.RedactedEvent, "the redacted event")


async def media(minji, joon):
    picture = bytes(range(256)) * 4_000
    uploaded, _ = await minji.upload(
        lambda *_: io.BytesIO(picture), content_type="image/png", filename="lunch.png", filesize=len(picture)
    )
    address = expect(uploaded, nio.UploadResponse).content_uri
    found = expect(await joon.download(mxc=address), nio.DownloadResponse)
    same(found.body == picture, True, "the downloaded bytes are the uploaded ones")
    same(found.content_type, "image/png", "the content type")


async def leave(minji, joon, room_id):
    expect(await joon.room_leave(room_id), nio.RoomLeaveResponse)
    refused = await joon.room_send(room_id, "m.room.message", {"msgtype": "m.text", "body": "still here?"})
    same(expect(refused, nio.RoomSendError).status_code, "M_FORBIDDEN", "a message after leaving")
    token = joon.access_token
    expect(await joon.logout(), nio.LogoutResponse)
    # nio forgets the token with the session; a thief of it would not.
    joon.access_token = token
    refused = await joon.whoami()
    same(expect(refused, nio.WhoamiError).status_code, "M_UNKNOWN_TOKEN", "a request after signing out")


async def main():
    await refuse_a_wrong_password(USERS[0])
    minji, joon = [await sign_in(user) for user in USERS]
    try:
        room_id = await open_room(minji, joon)
        first_event = await talk(minji, joon, room_id)
        await page_back(minji, room_id, first_event)
        await state_and_profile(minji, joon, room_id)
        await media(minji, joon)
        await leave(minji, joon, room_id)
    finally:
        await minji.close()
        await joon.close()
    print("the nio journey passed")


try:
    asyncio.run(main())
except StepFailed as failure:
    sys.exit(f"the nio journey failed: {failure}")
