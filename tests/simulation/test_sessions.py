"""A server session and client sessions against each other over a network that fails."""

import os

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)

from kefu_core.types import ConversationId, ParticipantId
from tests.simulation.world import CODECS, Server, SimClient

CONVERSATIONS = (ConversationId(1), ConversationId(2))
clients = st.integers(0, 2)
counts = st.integers(1, 6)


class Chat(RuleBasedStateMachine):
    """Three participants, two conversations; every interleaving is a rule away."""

    @initialize()
    def begin(self) -> None:
        self.server = Server()
        self.clients = [
            SimClient(ParticipantId(f"v{i}"), codec=CODECS[i % 2]) for i in range(3)
        ]
        self.typed = 0
        for client in self.clients:
            for conversation in CONVERSATIONS:
                client.session.follow(conversation, 0)
            client.connect(self.server)
            # Most examples are short: spend their steps on what comes after hello.
            link = client.link
            assert link is not None
            link.end.receive(link.up.popleft())
            while link.down:
                client.receive(link.down.popleft())

    # -- people ----------------------------------------------------------------------

    @rule(who=clients, conversation=st.sampled_from(CONVERSATIONS), count=counts)
    def write(self, who: int, conversation: ConversationId, count: int) -> None:
        for _ in range(count):
            self.typed += 1
            self.clients[who].write(conversation, f"k{self.typed}", f"m{self.typed}")

    # -- the network -----------------------------------------------------------------

    @rule(who=clients, count=counts)
    def deliver_up(self, who: int, count: int) -> None:
        link = self.clients[who].link
        for _ in range(count):
            if link is not None and link.up and link.end.is_open:
                link.end.receive(link.up.popleft())

    @rule(who=clients, count=counts)
    def deliver_down(self, who: int, count: int) -> None:
        for _ in range(count):
            link = self.clients[who].link
            if link is not None and link.down:
                self._down(who)

    def _down(self, who: int) -> None:
        client = self.clients[who]
        link = client.link
        assert link is not None
        end = link.end
        client.receive(link.down.popleft())
        end.messages_waiting = min(end.messages_waiting, len(link.down))
        end.pump()

    @rule(who=clients)
    def cut(self, who: int) -> None:
        link = self.clients[who].link
        if link is not None:
            link.cut()

    @rule(who=clients)
    def connect(self, who: int) -> None:
        if self.clients[who].link is None:
            self.clients[who].connect(self.server)

    # -- the store -------------------------------------------------------------------

    @rule(count=counts)
    def commit(self, count: int) -> None:
        self.server.commit(count)

    @rule(count=counts)
    def fail(self, count: int) -> None:
        self.server.fail(count)

    @rule(commits=st.integers(0, 6))
    def crash(self, commits: int) -> None:
        self.server.crash(commits=commits)

    # -- what must hold --------------------------------------------------------------

    @invariant()
    def readers_hold_prefixes_of_the_log(self) -> None:
        """G2, G4: seqs 1..k without holes, and the same content for everybody."""
        for client in getattr(self, "clients", ()):
            for conversation, shown in client.shown.items():
                log = self.server.logs.get(conversation, [])
                expected = [(i + 1, row.body) for i, row in enumerate(log)]
                assert shown == expected[: len(shown)]

    @invariant()
    def acknowledged_messages_stand_where_they_were_said_to(self) -> None:
        """G1, G3: at that seq, and nowhere else."""
        for client in getattr(self, "clients", ()):
            for key, (conversation, seq) in client.acked.items():
                log = self.server.logs[conversation]
                assert log[seq - 1].key == key
                assert sum(row.key == key for row in log) == 1

    @invariant()
    def a_senders_messages_stand_in_the_order_typed(self) -> None:
        """G14."""
        for client in getattr(self, "clients", ()):
            for conversation, wrote in client.wrote.items():
                log = self.server.logs.get(conversation, [])
                mine = [row.body for row in log if row.sender == client.who]
                assert mine == wrote[: len(mine)]

    def teardown(self) -> None:
        """G5: when the faults stop, everybody gets everything."""
        if not hasattr(self, "server"):
            return
        for _ in range(400):
            busy = bool(self.server.queue)
            for who, client in enumerate(self.clients):
                if client.link is None:
                    client.connect(self.server)
                client.flush()
                link = client.link
                while link is client.link and link is not None and link.up:
                    busy = True
                    link.end.receive(link.up.popleft())
                while client.link is not None and client.link.down:
                    busy = True
                    self._down(who)
                busy = busy or len(client.session.outbox) > 0
            self.server.commit(100)
            if not busy:
                break
        for client in self.clients:
            assert not client.rejected
            assert len(client.session.outbox) == 0
            for conversation, wrote in client.wrote.items():
                log = self.server.logs.get(conversation, [])
                mine = [row.body for row in log if row.sender == client.who]
                assert mine == wrote
            for conversation, log in self.server.logs.items():
                shown = [body for _, body in client.shown.get(conversation, [])]
                assert shown == [row.body for row in log]


Chat.TestCase.settings = settings(
    max_examples=int(os.environ.get("KEFU_SIMULATION_EXAMPLES", "200")),
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestChat = Chat.TestCase
