"""Starts Patroni 4.1 with shorter pauses, for clusters in quorum mode (synchronous_mode: quorum).

In a switch-over stock Patroni waits in whole seconds: up to one until the connections are seen to be closed, up to one until the
server is seen to be down, a fixed one for the standbys to catch up, and up to one until the new primary is seen to be promoted, before
which its timeline is not in the history and nothing is acknowledged. Writes stand still meanwhile. None of these pauses orders
anything: what they wait for is looked at again after each of them. Of these nothing is replaced but their length.

After a fire stock Patroni's candidates wait two seconds for the answer of the site that is silent before they count votes; here one.
Who answers later is a vote less, never one more: a candidate without its quorum waits for the next round.

After a change of leader stock Patroni goes by its wake-ups, and where one is missed sleeps on for the rest of its cycle, a second: a
standby that follows the new leader late holds up all writes that wait for two of three, and a new leader that is late to write down its
promotion holds up all. Here it looks again five times a second, for three seconds after it saw the leader key change hands or fall free.

After its promotion stock Patroni first arranges who confirms commits, with some writes to etcd, and then writes the history of
timelines, without which nothing is acknowledged. Here the history comes first.

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

# For how long after a change of leader a member looks again sooner than its cycle says, and how soon, in seconds.
CHANGE_S = 3
CHANGE_PAUSE_S = 0.2

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


def hurry_after_change() -> None:
    sleep_on = patroni.ha.Ha.watch

    def watch(self, timeout):
        leader = self.cluster.leader_name if self.cluster else None
        now = time.monotonic()
        if leader != getattr(self, "leader_seen", leader):
            self.leader_changed_at = now
        self.leader_seen = leader
        if now - getattr(self, "leader_changed_at", now - CHANGE_S) >= CHANGE_S or timeout <= CHANGE_PAUSE_S:
            return sleep_on(self, timeout)
        sleep_on(self, CHANGE_PAUSE_S)
        # As after a wake-up: the next cycle is counted from here.
        return True

    patroni.ha.Ha.watch = watch


def write_history_first() -> None:
    arrange = patroni.ha.Ha.process_sync_replication
    write_history = patroni.ha.Ha.update_cluster_history

    def write_history_once(self):
        # What a cycle knows of etcd is read at its start: a second look would write the same again.
        if getattr(self, "history_written_for", None) is not self.cluster:
            write_history(self)
            self.history_written_for = self.cluster

    def arrange_after_history(self):
        if self.state_handler.is_primary():
            self.update_cluster_history()
        arrange(self)

    patroni.ha.Ha.update_cluster_history = write_history_once
    patroni.ha.Ha.process_sync_replication = arrange_after_history


# Patroni starts further processes from this very file.
if __name__ == "__main__":
    if __version__.startswith(VERSION):
        shorten_pauses()
        shorten_waits()
        hurry_after_change()
        write_history_first()
    main()
