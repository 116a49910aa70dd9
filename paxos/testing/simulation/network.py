"""A network that loses, repeats, delays, reorders, corrupts and cuts, message by message."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable

from attrs import define, field

from paxos.protocol.messages import Message
from paxos.replicated.messages import Knock, Refused
from paxos.testing.simulation.world import World
from paxos.testing.words import in_words
from paxos.wire import Wire, encode

Deliver = Callable[[str, str, Message], None]
Link = tuple[str, str]

REMEMBERED = 256
"""How many old messages may be replayed."""

MINUTES_OLD = 60.0
"""From this age on, in seconds, a replay is counted apart."""


@define
class Weather:
    """How the network treats messages at the moment."""

    delay: tuple[float, float] = (0.0001, 0.001)
    """Shortest and longest time on the way, in seconds."""
    loss: float = 0.0
    duplication: float = 0.0
    straggling: float = 0.0
    """The share of messages that take up to two seconds."""
    corruption: float = 0.0
    """The share of datagrams in which a bit is flipped, or of which the end is missing."""
    replay: float = 0.0
    """The chance that a message makes an old one arrive again."""
    small: bool = False
    """Whether datagrams are so small that messages travel in parts."""
    refusal: float = 0.0
    """The chance that a message makes its sender believe that nobody listens at its target."""
    cut: set[Link] = field(factory=set)
    """Links that carry nothing, in this direction."""
    filtered: set[str] = field(factory=set)
    """Kinds of messages that are lost, by class name."""
    dropping: dict[str, float] = field(factory=dict)
    """By class name, kinds of which a share is lost."""
    dawdling: dict[str, float] = field(factory=dict)
    """By class name, kinds that take up to so many seconds more."""
    echoing: dict[str, float] = field(factory=dict)
    """By class name, kinds that arrive once more, up to so many seconds later."""


class Network:
    """Carries messages between nodes; `Weather` may change at any time."""

    def __init__(self, world: World, names: tuple[str, ...], deliver: Deliver) -> None:
        self.weather = Weather()
        self.injected: Counter[str] = Counter()
        """How often each fault was really injected."""
        self.watch: Callable[[str, str, Message], None] | None = None
        self._world = world
        self._random = world.random("network")
        self._deliver = deliver
        self._old: deque[tuple[float, str, str, Message]] = deque(maxlen=REMEMBERED)
        self._wires: dict[str, Wire] = {}
        for name in names:
            self.begin_life(name)

    def begin_life(self, name: str) -> None:
        """Forget what a node's end of its links knew: its process is a new one."""
        self._wires[name] = Wire("simulated", bytes(32), name, 1_024, lambda: self._world.now)

    def send(self, source: str, target: str, message: Message) -> None:
        """Put a message on its way, or not."""
        weather, draw = self.weather, self._random.random
        if (source, target) in weather.cut:
            self.injected["cut"] += 1
            return
        if weather.refusal and draw() < weather.refusal:
            self.injected["refusal"] += 1
            self.refuse(source, target)
        if type(message).__name__ in weather.filtered:
            self.injected["filter"] += 1
            return
        loss = weather.loss
        if weather.dropping:
            loss = max(loss, weather.dropping.get(type(message).__name__, 0.0))
        if loss and draw() < loss:
            self.injected["loss"] += 1
            return
        if type(message) is Knock:  # a datagram in which there is nothing to spoil
            self._carry(source, target, message)
            return
        if weather.corruption and draw() < weather.corruption:
            self._corrupt(source, target, message)
            return
        if weather.small:
            self._in_parts(source, target, message)
            return
        self._carry(source, target, message)
        if weather.duplication and draw() < weather.duplication:
            self.injected["duplication"] += 1
            self._carry(source, target, message)
        if weather.echoing and type(message).__name__ in weather.echoing:
            self.injected["echo"] += 1
            delay = self._random.uniform(0.0, weather.echoing[type(message).__name__])
            self._world.after(delay, self._arrive, source, target, message)
        if weather.replay:
            self._old.append((self._world.now, source, target, message))
            if draw() < weather.replay:
                sent, sender, receiver, old = self._random.choice(self._old)
                late = self._world.now - sent >= MINUTES_OLD
                self.injected["replay_minutes_old" if late else "replay"] += 1
                self._carry(sender, receiver, old)

    def _carry(self, source: str, target: str, message: Message) -> None:
        weather = self.weather
        delay = self._random.uniform(*weather.delay)
        if weather.dawdling and type(message).__name__ in weather.dawdling:
            self.injected["dawdling"] += 1
            delay += self._random.uniform(0.0, weather.dawdling[type(message).__name__])
        if weather.straggling and self._random.random() < weather.straggling:
            self.injected["straggling"] += 1
            delay = self._random.uniform(0.01, 2.0)
        self._world.after(delay, self._arrive, source, target, message)

    def _arrive(self, source: str, target: str, message: Message) -> None:
        self._world.note(f"{source} > {target}  {in_words(message)}")
        self._deliver(source, target, message)

    def refuse(self, source: str, target: str) -> None:
        """Let a sender hear, perhaps wrongly, that nobody listens at its target."""
        if (target, source) not in self.weather.cut:
            delay = self._random.uniform(*self.weather.delay)
            self._world.after(delay, self._arrive, target, source, Refused())

    def _corrupt(self, source: str, target: str, message: Message) -> None:
        """Damage the real datagrams, and let the target make of them what it can."""
        self.injected["corruption"] += 1
        for datagram in self._wires[source].outgoing(target, [encode(message)]):
            damaged = bytearray(datagram)
            damaged[self._random.randrange(len(damaged))] ^= 1 << self._random.randrange(8)
            if self._random.random() < 0.3:
                del damaged[self._random.randrange(len(damaged)) :]
            self._open(target, bytes(damaged))

    def _in_parts(self, source: str, target: str, message: Message) -> None:
        """Let the real datagrams travel, each with its own fate."""
        self.injected["small"] += 1
        for datagram in self._wires[source].outgoing(target, [encode(message)]):
            self._travel(source, target, datagram)

    def _travel(self, source: str, target: str, datagram: bytes) -> None:
        if (source, target) in self.weather.cut or self._random.random() < self.weather.loss:
            return
        copies = 1 + (self._random.random() < self.weather.duplication)
        for _ in range(copies):
            delay = self._random.uniform(*self.weather.delay)
            self._world.after(delay, self._open, target, datagram)

    def _open(self, target: str, datagram: bytes) -> None:
        incoming = self._wires[target].incoming(datagram)
        if incoming is None:
            return
        for reply in incoming.replies:
            self._travel(target, incoming.source, reply)
        for message in incoming.messages:
            self._arrive(incoming.source, target, message)
