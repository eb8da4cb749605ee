"""Two people talk encrypted by matrix-nio: a room, a file, a second device, emoji verification and exported keys.

Takes and answers what nio_journey.py does.
"""

import asyncio
import io
import json
import sys
import tempfile
from pathlib import Path

import nio
from nio.crypto import SasState, decrypt_attachment
from nio_steps import PASSWORD, URL, USERS, StepFailed, expect, same, sync_until

FOLDER = Path(tempfile.mkdtemp(prefix="haechi-nio-"))


class Device:
    """One device of a person: nio's client, and what it has heard."""

    def __init__(self, user, name):
        store = FOLDER / name
        store.mkdir()
        config = nio.AsyncClientConfig(encryption_enabled=True)
        self.client = nio.AsyncClient(URL, user, store_path=str(store), config=config)
        self.name = name
        self.heard = []
        self.client.add_event_callback(lambda _, event: self.heard.append(event), nio.RoomMessage)
        self.unreadable = []
        self.client.add_event_callback(lambda _, event: self.unreadable.append(event), nio.MegolmEvent)

    async def sign_in(self):
        expect(await self.client.login(PASSWORD, device_name=self.name), nio.LoginResponse)
        # Nobody else needs to be known yet for this.
        expect(await self.client.keys_upload(), nio.KeysUploadResponse)
        return self

    async def sync_until(self, condition, what):
        """Syncs until the condition holds, and does after each sync what nio asks for."""
        for _ in range(50):
            await sync_until(self.client, lambda: True, "a sync")
            client = self.client
            if client.should_upload_keys:
                expect(await client.keys_upload(), nio.KeysUploadResponse)
            if client.should_query_keys:
                expect(await client.keys_query(), nio.KeysQueryResponse)
            if client.should_claim_keys:
                users = client.get_users_for_key_claiming()
                expect(await client.keys_claim(users), nio.KeysClaimResponse)
            for answer in await client.send_to_device_messages():
                expect(answer, nio.ToDeviceResponse)
            found = condition()
            if found:
                return found
        raise StepFailed(f"{what} did not arrive at {self.name}")

    async def say(self, room_id, text):
        sent = await self.client.room_send(
            room_id, "m.room.message", {"msgtype": "m.text", "body": text}, ignore_unverified_devices=True
        )
        return expect(sent, nio.RoomSendResponse).event_id

    def text(self, event_id):
        """The text of an event, once it came and could be read."""
        return next((event.body for event in self.heard if event.event_id == event_id and event.decrypted), None)

    async def reads(self, event_id, text):
        same(await self.sync_until(lambda: self.text(event_id), "the encrypted message"), text, "the message")


async def open_encrypted_room(minji, joon):
    created = await minji.client.room_create(
        name="Secrets",
        invite=[joon.client.user_id],
        initial_state=[nio.EnableEncryptionBuilder().as_dict()],
    )
    room_id = expect(created, nio.RoomCreateResponse).room_id
    await joon.sync_until(lambda: room_id in joon.client.invited_rooms, "the invitation")
    expect(await joon.client.join(room_id), nio.JoinResponse)
    is_whole = lambda room: room is not None and room.encrypted and len(room.users) == 2
    await joon.sync_until(lambda: is_whole(joon.client.rooms.get(room_id)), "the room")
    await minji.sync_until(lambda: is_whole(minji.client.rooms.get(room_id)), "who joined")
    return room_id


async def what_the_server_keeps(device, room_id, event_id):
    path = f"/_matrix/client/v3/rooms/{room_id}/event/{event_id}"
    headers = {"Authorization": f"Bearer {device.client.access_token}"}
    answer = await device.client.send("GET", path, headers=headers)
    return json.loads(await answer.text())


async def talk(minji, joon, room_id):
    first = await minji.say(room_id, "아무도 못 읽어")
    await joon.reads(first, "아무도 못 읽어")
    answer = await joon.say(room_id, "only we two")
    await minji.reads(answer, "only we two")
    kept = await what_the_server_keeps(joon, room_id, first)
    same(kept["type"], "m.room.encrypted", "what the server keeps")
    same("못" in json.dumps(kept, ensure_ascii=False), False, "the text at the server")


async def send_a_file(minji, joon, room_id):
    picture = bytes(range(256)) * 1_000
    uploaded, secret = await minji.client.upload(
        lambda *_: io.BytesIO(picture), content_type="image/png", filename="secret.png", encrypt=True
    )
    secret["url"] = expect(uploaded, nio.UploadResponse).content_uri
    content = {"msgtype": "m.image", "body": "secret.png", "file": secret, "info": {"mimetype": "image/png"}}
    sent = await minji.client.room_send(room_id, "m.room.message", content, ignore_unverified_devices=True)
    event_id = expect(sent, nio.RoomSendResponse).event_id
    find = lambda: next((event for event in joon.heard if event.event_id == event_id), None)
    image = await joon.sync_until(find, "the picture")
    found = expect(await joon.client.download(mxc=image.url), nio.DownloadResponse)
    same(found.body == picture, False, "the file at the server is the file itself")
    opened = decrypt_attachment(found.body, image.key["k"], image.hashes["sha256"], image.iv)
    same(opened == picture, True, "the opened file is the one sent")


async def add_a_device(minji, joon, room_id):
    tablet = await Device(joon.client.user_id, "tablet").sign_in()
    await tablet.sync_until(lambda: room_id in tablet.client.rooms, "the room")
    has_tablet = lambda: tablet.client.device_id in minji.client.device_store[joon.client.user_id]
    await minji.sync_until(has_tablet, "the change of Joon's devices")
    event_id = await minji.say(room_id, "to both of yours")
    await asyncio.gather(joon.reads(event_id, "to both of yours"), tablet.reads(event_id, "to both of yours"))
    return tablet


async def verify(minji, joon):
    """Compares emoji, as people do it side by side."""
    device = minji.client.device_store[joon.client.user_id][joon.client.device_id]
    expect(await minji.client.start_key_verification(device), nio.ToDeviceResponse)
    theirs = lambda: next(iter(joon.client.key_verifications.values()), None)
    sas = await joon.sync_until(theirs, "the wish to verify")
    expect(await joon.client.accept_key_verification(sas.transaction_id), nio.ToDeviceResponse)
    own = minji.client.key_verifications[sas.transaction_id]
    # Each answers the other's part, so both listen at once.
    await asyncio.gather(
        minji.sync_until(lambda: own.state is SasState.key_received, "Joon's key"),
        joon.sync_until(lambda: sas.state is SasState.key_received, "Minji's key"),
    )
    same(own.get_emoji(), sas.get_emoji(), "the emoji")
    expect(await minji.client.confirm_short_auth_string(sas.transaction_id), nio.ToDeviceResponse)
    expect(await joon.client.confirm_short_auth_string(sas.transaction_id), nio.ToDeviceResponse)
    await asyncio.gather(
        minji.sync_until(lambda: own.verified, "Joon's word"), joon.sync_until(lambda: sas.verified, "Minji's word")
    )
    same(device.verified, True, "Joon's device is verified")


async def carry_keys_over(joon, tablet, room_id):
    """A device that came later reads what was said before it, with the keys of the first."""
    page = expect(await tablet.client.room_messages(room_id, start="", limit=50), nio.RoomMessagesResponse)
    same(any(isinstance(event, nio.MegolmEvent) for event in page.chunk), True, "the tablet cannot read the past")
    keys = str(FOLDER / "keys.txt")
    await joon.client.export_keys(keys, "passphrase", count=1_000)
    await tablet.client.import_keys(keys, "passphrase")
    page = expect(await tablet.client.room_messages(room_id, start="", limit=50), nio.RoomMessagesResponse)
    texts = [event.body for event in page.chunk if isinstance(event, nio.RoomMessageText)]
    same("아무도 못 읽어" in texts, True, "the tablet reads the past with the keys")


async def main():
    minji = await Device(USERS[0], "phone of Minji").sign_in()
    joon = await Device(USERS[1], "phone of Joon").sign_in()
    devices = [minji, joon]
    try:
        room_id = await open_encrypted_room(minji, joon)
        await talk(minji, joon, room_id)
        await send_a_file(minji, joon, room_id)
        await verify(minji, joon)
        tablet = await add_a_device(minji, joon, room_id)
        devices.append(tablet)
        await carry_keys_over(joon, tablet, room_id)
        same(minji.unreadable + joon.unreadable, [], "what could not be read")
    finally:
        for device in devices:
            await device.client.close()
    print("the encrypted nio journey passed")


try:
    asyncio.run(main())
except StepFailed as failure:
    sys.exit(f"the encrypted nio journey failed: {failure}")
