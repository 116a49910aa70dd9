"""What a leader proposes first, and which way a command goes."""

from __future__ import annotations

from paxos.node.cluster import Timing
from paxos.protocol.ballot import Ballot
from paxos.protocol.effects import Effects, Send
from paxos.protocol.messages import Accept, Promise, Vote
from paxos.protocol.proposer import Proposer
from paxos.protocol.quorums import Majority
from paxos.replicated.admission import Admission
from paxos.replicated.candidacy import Candidacy
from paxos.replicated.heartbeats import Heartbeats
from paxos.replicated.log_proposer import DETOUR_AFTER, LogProposer
from paxos.replicated.messages import Adopted, Heartbeat, Polled, Progress, Propose
from paxos.replicated.pace import Pace
from paxos.replicated.reading import Reading
from paxos.replicated.values import (
    MAX_BATCH_COMMANDS,
    Batch,
    Command,
    CommandId,
    Leadership,
    Session,
)

MEMBERS = ("a", "b", "c")
B1 = Ballot(1, "a")
COMMAND = Command(Session("b", 1), 0, b"x")


def log_proposer(name: str = "a") -> LogProposer:
    proposer, quorums, pace = Proposer(name, Majority(MEMBERS)), Majority(MEMBERS), Pace(Timing())
    admission = Admission(name, quorums, pace.timing, lambda: (1, 1))
    admission.admitted = True
    candidacy = Candidacy(proposer, pace, Heartbeats(name, pace, admission))
    made = LogProposer(candidacy, Reading(proposer, boot=1))
    made.start()
    return made


def proposed(effects: Effects) -> list[tuple[int, object]]:
    sent = [effect.message for effect in effects if isinstance(effect, Send)]
    return [(message.slot, message.value) for message in sent if isinstance(message, Accept)]


def leading(*votes: Vote) -> LogProposer:
    leader = log_proposer()
    leader.wake(0.0)
    leader.handle("a", Promise(B1, 0, 0, ()), 0.0)
    leader.handle("b", Promise(B1, 0, len(votes), votes), 0.0)
    return leader


def test_leadership_is_proposed_first_and_chosen_before_any_command_is_proposed() -> None:
    leader = leading()
    leader.handle("b", Propose((COMMAND,), 1), 0.0)
    opening = Leadership("a", 1)
    assert proposed(leader.flush(0.0)) == [(0, opening)]
    assert proposed(leader.flush(0.0)) == []
    leader.advance(Progress(1, opening, ()), 0.0)
    assert proposed(leader.flush(0.0)) == [(1, Batch((COMMAND,)))]


def test_leadership_waits_until_every_recovered_slot_is_learned_for_it_follows_the_last_epoch() -> (
    None
):
    earlier = Leadership("c", 1)
    leader = leading(Vote(0, Ballot(0, "c"), earlier))
    assert proposed(leader.flush(0.0)) == []
    leader.advance(Progress(1, earlier, ()), 0.0)
    assert proposed(leader.flush(0.0)) == [(1, Leadership("a", 2))]


def test_command_that_was_sent_often_in_vain_goes_through_each_other_member_in_turn() -> None:
    follower = log_proposer("b")
    now, sent = 0.0, []
    assert follower.adopt(COMMAND)
    follower.handle("b", Adopted(), now)
    for beat in range(1, 400):
        now += 0.025
        follower.handle("a", Heartbeat(B1, 0, beat, 500, ()), now)
        effects = follower.wake(now)
        sent += [e.targets for e in effects if isinstance(e, Send) and type(e.message) is Propose]
    first = DETOUR_AFTER - 1  # it is also sent when the leader is first heard
    assert sent[: first + 3] == [("a",)] * first + [("c",), ("a",), ("c",)]


def burst(effects: Effects) -> list[int]:
    """The numbers of the commands that are sent, in order."""
    sent = [effect.message for effect in effects if isinstance(effect, Send)]
    proposes = [message for message in sent if isinstance(message, Propose)]
    return [command.number for propose in proposes for command in propose.commands]


def waiting_long(many: int) -> tuple[LogProposer, float]:
    """A node that has looked for a leader for its commands for 3 s, and that time."""
    node = log_proposer("b")
    node.candidacy.heartbeats.admission.failure = "it may not stand itself"
    for number in range(many):
        node.adopt(Command(Session("b", 1), number, b"x"))
    node.handle("b", Adopted(), 0.0)
    for tenth in range(30):
        assert burst(node.wake(tenth / 10)) == []
    return node, 3.0


def test_all_that_waited_for_a_leader_goes_to_a_new_one_at_once_in_bounded_bursts() -> None:
    many = 4 * MAX_BATCH_COMMANDS
    node, now = waiting_long(many)
    bursts = [burst(node.handle("a", Heartbeat(B1, 0, 1, 500, ()), now))]
    bursts += [burst(node.wake(now + look / 100)) for look in range(1, 5)]
    assert [len(sent) for sent in bursts] == [MAX_BATCH_COMMANDS] * 4 + [0]
    assert [number for sent in bursts for number in sent] == list(range(many))


def test_all_that_waited_goes_through_who_refuses_a_candidacy_and_no_more_often_than_due() -> None:
    many = 2 * MAX_BATCH_COMMANDS
    node, now = waiting_long(many)
    node.candidacy.heartbeats.admission.failure = ""
    node.candidacy.stand(now)
    refusal = Polled(node.candidacy.polls, 0, granted=False, ballot=B1, frontier=0)
    sent = [burst(node.handle(source, refusal, now)) for source in ("c", "a", "c")]
    assert sent == [[*range(MAX_BATCH_COMMANDS)], [*range(MAX_BATCH_COMMANDS, many)], []]


def test_what_was_learned_need_not_be_heard_at_once_unless_something_waits_for_it() -> None:
    leader = leading()
    opening = Leadership("a", 1)
    assert not leader.can_wait(opening)  # not yet: it opens its epoch with it
    leader.flush(0.0)
    leader.advance(Progress(1, opening, ()), 0.0)
    assert leader.can_wait(opening)
    assert not leader.can_wait(Leadership("b", 2))
    leader.handle("b", Propose((COMMAND,), 1), 0.0)
    assert not leader.can_wait(opening)  # it makes room in the window
    leader.flush(0.0)
    assert leader.can_wait(opening)
    leader.reading.begin()
    assert not leader.can_wait(opening)


def test_commands_that_were_withdrawn_before_the_role_looked_are_never_sent() -> None:
    follower = log_proposer("b")
    follower.handle("a", Heartbeat(B1, 0, 1, 500, ()), 0.0)
    commands = [Command(Session("b", 1), number, b"x") for number in range(3)]
    assert [follower.adopt(command) for command in commands] == [True, False, False]
    follower.withdraw(commands[1].id)
    (sent,) = follower.handle("b", Adopted(), 0.0)
    assert sent == Send(("a",), Propose((commands[0], commands[2]), 1))
    assert list(follower.own) == [commands[0].id, commands[2].id]
    assert follower.handle("b", Adopted(), 0.0) == ()


def test_withdrawing_all_of_many_commands_looks_at_each_but_once() -> None:
    """Else a node that withdraws thousands at once stands still, and is taken for dead."""
    follower = log_proposer("b")
    looks = 0

    class Looked(Command):
        @property
        def id(self) -> CommandId:
            nonlocal looks
            looks += 1
            return super().id

    commands = [Looked(Session("b", 1), number, b"x") for number in range(1000)]
    names = [(command.session, command.number) for command in commands]
    for command in commands:
        follower.adopt(command)
    for name in names:
        follower.withdraw(name)
    assert looks <= 2 * len(commands)
    assert follower.handle("b", Adopted(), 0.0) == ()
    assert not follower.own
