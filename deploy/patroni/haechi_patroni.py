"""Starts Patroni 4.1 with shorter pauses, for clusters in quorum mode (synchronous_mode: quorum).

In a switch-over stock Patroni waits in whole seconds: up to one until the connections are seen to be closed, up to one until the
server is seen to be down, a fixed one for the standbys to catch up, and up to one until the new primary is seen to be promoted, before
which its timeline is not in the history and nothing is acknowledged. Writes stand still meanwhile. None of these pauses orders
anything: what they wait for is looked at again after each of them. Nothing of Patroni is replaced but the length of
these pauses.

After a fire stock Patroni's candidates wait two seconds for the answer of the site that is silent before they count votes; here one.
Who answers later is a vote less, never one more: a candidate without its quorum waits for the next round.

Use it instead of `patroni` or `python3 -m patroni`, at all sites or at some.
"""

import time
import types

# In this order: they import each other in a circle, which only this end enters well.
import patroni.postgresql
import patroni.ha
import patroni.request
from patroni.__main__ import main
from patroni.version import __version__

# The version whose pauses were read. With another one Patroni is started as it is.
VERSION = "4.1."

# The longest pause, and how often the server is looked at while it stops, in seconds.
PAUSE_MAX_S = 0.02

# How long a candidate waits for the status of another site, in seconds.
STATUS_WAIT_S = 1


def shorten_pauses() -> None:
    patroni.postgresql.STOP_POLLING_INTERVAL = PAUSE_MAX_S
    look_again = patroni.postgresql.polling_loop
    patroni.postgresql.polling_loop = lambda timeout, interval=1: look_again(timeout, min(interval, PAUSE_MAX_S))
    patroni.ha.time = types.SimpleNamespace(
        time=time.time, sleep=lambda seconds: time.sleep(min(seconds, PAUSE_MAX_S))
    )


def shorten_waits() -> None:
    ask = patroni.request.PatroniRequest.__call__

    def ask_sooner(self, member, method="GET", endpoint=None, data=None, **options):
        # A question without an endpoint is that for a member's status.
        if endpoint is None and "timeout" in options:
            options["timeout"] = min(options["timeout"], STATUS_WAIT_S)
        return ask(self, member, method, endpoint, data, **options)

    patroni.request.PatroniRequest.__call__ = ask_sooner


# Patroni starts further processes from this very file.
if __name__ == "__main__":
    if __version__.startswith(VERSION):
        shorten_pauses()
        shorten_waits()
    main()
