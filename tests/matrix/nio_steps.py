"""What the journeys of matrix-nio share: who they are, and how a step is held against what it should have brought."""

import os

import nio

URL = os.environ["HAECHI_URL"]
USERS = [os.environ["HAECHI_USER_A"], os.environ["HAECHI_USER_B"]]
PASSWORD = os.environ["HAECHI_PASSWORD"]


class StepFailed(Exception):
    """A step got another answer than it should have."""


def expect(answer, kind):
    """The answer, if it is of the kind a success has."""
    if not isinstance(answer, kind):
        raise StepFailed(f"expected {kind.__name__}, got {answer!r}")
    return answer


def same(found, wanted, what):
    if found != wanted:
        raise StepFailed(f"{what}: expected {wanted!r}, found {found!r}")


async def sync_until(client, condition, what):
    """Syncs by long poll until the condition holds."""
    for _ in range(50):
        expect(await client.sync(timeout=5_000, full_state=False), nio.SyncResponse)
        found = condition()
        if found:
            return found
    raise StepFailed(f"{what} did not arrive")
