"""Who the members of a cluster are, the key they share, and how patient they are."""

from __future__ import annotations

import ipaddress
import re
import secrets
import socket
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from os import PathLike
from pathlib import Path
from typing import Final

from attrs import Factory, field, frozen

from paxos.errors import ConfigError
from paxos.node.config_file import Table, create_file, read_table, toml_string
from paxos.node.key_file import create_keys, read_keys
from paxos.protocol.learner import HORIZON
from paxos.replicated.values import CLIENT_PREFIX
from paxos.wire.keys import KeyRing
from paxos.wire.link import MAX_DATAGRAM, MIN_DATAGRAM

HEARTBEATS_BEFORE_SUSPICION: Final = 4
"""A leader is not suspected for fewer lost heartbeats: every network loses some."""

MIN_LEASE: Final = 0.1
"""The shortest lease, in seconds."""

SUSPICIONS_IN_A_LEASE: Final = 2
"""A lease lasts while a leader of the log is lost and another is found."""

MAX_DRIFT: Final = 0.2
"""A machine whose clock is worse has a fault."""

DEFAULT_BASE_PORT: Final = 7400
"""The UDP port of the first member of a generated cluster."""

QUIET_PORTS: Final = range(10_000, 32_768)
"""UDP ports that Linux gives to nobody who does not name them, unless it is told otherwise."""

DEFAULT_WINDOW: Final = 64
"""How many slots may be in flight at once, unless the cluster says otherwise."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_HOST: Final = re.compile(r"[A-Za-z0-9._:%-]{1,253}")
_KEY_FILE: Final = "cluster.key"


def _require(true: bool, otherwise: str) -> None:
    if not true:
        raise ConfigError(otherwise)


def _require_name(what: str, name: str) -> None:
    _require(
        _NAME.fullmatch(name) is not None,
        f"{what} {name!r} must be 1 to 64 of a-z 0-9 . _ - and start with a letter or digit",
    )


def _require_distinct(what: str, given: Sequence[str]) -> None:
    twice = sorted({one for one in given if given.count(one) > 1})
    _require(not twice, f"two members have the {what} {', '.join(twice)}; each needs its own")


@frozen
class Member:
    """A node's name and where its UDP socket is."""

    name: str
    host: str
    port: int

    def __attrs_post_init__(self) -> None:
        _require_name("the member name", self.name)
        _require(
            not self.name.startswith(CLIENT_PREFIX),
            f"the member name {self.name!r} must not start with {CLIENT_PREFIX!r}, "
            "which is how clients are called; choose another",
        )
        _require(
            _HOST.fullmatch(self.host) is not None,
            f"host of {self.name} must be a host name or an IP address, not {self.host!r}",
        )
        _require(
            1 <= self.port <= 65535,
            f"port of {self.name} must be 1 to 65535, not {self.port}",
        )

    @property
    def address(self) -> str:
        """Host and port, as people write them."""
        return f"{self.host}:{self.port}"

    @property
    def on_loopback(self) -> bool:
        """Whether this member can only be reached from its own machine."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"


@frozen
class Timing:
    """How patient the members are with one another, in seconds."""

    heartbeat: float = 0.025
    """A leader gives a sign of life this often."""
    suspicion: float = 0.15
    """The shortest silence after which a leader is suspected; a shaky network earns it more."""
    lease: float = field(default=Factory(lambda self: max(1.0, 2 * self.suspicion), True))
    """How long a node leads named elections, at most, without the log's renewed consent."""
    drift: float = 0.01
    """By what share, at most, the rate of a member's clock differs from true time."""
    lease_reads: bool = False
    """Whether ``Node.barrier(lease=True)`` may rely on clocks; all members must agree on it. Where
    a leader is lost in any other way than by silence, the next one is found a little later."""

    def __attrs_post_init__(self) -> None:
        for name, value in (("heartbeat", self.heartbeat), ("suspicion", self.suspicion)):
            _require(
                0.001 <= value <= 3600,
                f"timing.{name} must be 0.001 to 3600 seconds, not {value!r}",
            )
        least = HEARTBEATS_BEFORE_SUSPICION * self.heartbeat
        _require(
            # a millionth of slack, because 4 * 0.1 need not be 0.4
            self.suspicion >= least * (1 - 1e-6),
            f"timing.suspicion ({self.suspicion:g} s) must be at least "
            f"{HEARTBEATS_BEFORE_SUSPICION} heartbeats of {self.heartbeat:g} s: raise it to "
            f"{least:g} or lower timing.heartbeat to "
            f"{self.suspicion / HEARTBEATS_BEFORE_SUSPICION:g}",
        )
        _require(
            MIN_LEASE <= self.lease <= 86_400,
            f"timing.lease must be {MIN_LEASE} to 86400 seconds, not {self.lease!r}",
        )
        _require(
            # or a change of the log's leader would cost every holder its term
            self.lease >= SUSPICIONS_IN_A_LEASE * self.suspicion * (1 - 1e-6),
            f"timing.lease ({self.lease:g} s) must be at least {SUSPICIONS_IN_A_LEASE} times "
            f"timing.suspicion ({self.suspicion:g} s): raise it to "
            f"{SUSPICIONS_IN_A_LEASE * self.suspicion:g} or lower timing.suspicion to "
            f"{self.lease / SUSPICIONS_IN_A_LEASE:g}",
        )
        _require(
            0 <= self.drift <= MAX_DRIFT,
            f"timing.drift must be 0 to {MAX_DRIFT}, not {self.drift!r}: it is a share, 0.01 for "
            "clocks of which one gains up to a hundredth",
        )
        _require(
            type(self.lease_reads) is bool,
            f"timing.lease_reads must be true or false, not {self.lease_reads!r}",
        )


def _ring(keys: KeyRing | bytes) -> KeyRing:
    try:
        return KeyRing.of(keys)
    except ValueError as error:
        raise ConfigError(str(error)) from None


@frozen
class Cluster:
    """What all members and clients of one cluster must agree on. Raises `ConfigError`."""

    name: str
    """Bound into every datagram: no two clusters, old or new, may share it."""
    members: tuple[Member, ...]
    """Their order is their rank: who stands first when a leader is lost."""
    keys: KeyRing = field(converter=_ring)
    """The shared secret: 32 bytes, or a ring of several while they are exchanged."""
    timing: Timing = Timing()
    max_datagram: int | None = None
    """The largest datagram in bytes; None chooses by where the members are."""
    window: int = DEFAULT_WINDOW
    """How many slots may be in flight at once."""
    key_file: Path | None = field(default=None, eq=False)
    """Where the keys were read; a running node notices when it changes."""

    def __attrs_post_init__(self) -> None:
        _require_name("the cluster's name", self.name)
        _require(len(self.members) > 0, "members is empty; give at least one")
        _require_distinct("name", [member.name for member in self.members])
        _require_distinct("address", [member.address for member in self.members])
        _require(
            self.max_datagram is None or MIN_DATAGRAM <= self.max_datagram <= MAX_DATAGRAM,
            f"max_datagram must be {MIN_DATAGRAM} to {MAX_DATAGRAM} bytes, not {self.max_datagram}",
        )
        _require(
            1 <= self.window <= HORIZON,
            f"window must be 1 to {HORIZON} slots, which is as far as learners look ahead, "
            f"not {self.window}",
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The members' names, by rank."""
        return tuple(member.name for member in self.members)

    @property
    def quorum(self) -> int:
        """How many members decide: a majority."""
        return len(self.members) // 2 + 1

    @property
    def survives(self) -> int:
        """How many members may fail at once while the rest still decides."""
        return len(self.members) - self.quorum

    @property
    def datagram_limit(self) -> int:
        """The largest datagram to send, in bytes.

        Loopback carries almost anything; elsewhere a datagram should fit an Ethernet frame, for
        one lost fragment loses the whole.
        """
        if self.max_datagram is not None:
            return self.max_datagram
        return 60_000 if all(member.on_loopback for member in self.members) else 1_400

    def member(self, name: str) -> Member:
        """Return the member of this name; raise `ConfigError` if there is none."""
        for member in self.members:
            if member.name == name:
                return member
        raise ConfigError(f"{name!r} is no member of {self.name}; it has {', '.join(self.names)}")

    @classmethod
    def generate(
        cls, nodes: int, host: str = "127.0.0.1", base_port: int = DEFAULT_BASE_PORT
    ) -> Cluster:
        """Return a new cluster of ``node1`` to ``nodeN`` on adjacent ports, with a fresh key."""
        return cls._fresh(host, [base_port + rank for rank in range(nodes)])

    @classmethod
    def local(cls, nodes: int) -> Cluster:
        """Return a new cluster on loopback, on ports that are free at this moment.

        For tests and demonstrations: nothing keeps another process from taking a port before
        the node does. So they are none of those that the system gives to whoever asks for any.
        """
        with ExitStack() as stack:
            ports: list[int] = []
            candidates = secrets.SystemRandom().sample(QUIET_PORTS, 1000)
            while len(ports) < nodes:  # all are held open together, so that they differ
                udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                with suppress(OSError):
                    udp.bind(("127.0.0.1", candidates.pop()))
                    ports.append(udp.getsockname()[1])
        return cls._fresh("127.0.0.1", ports)

    @classmethod
    def _fresh(cls, host: str, ports: Sequence[int]) -> Cluster:
        return cls(
            # random, so that a cluster made anew in the same place never hears the old one
            name=f"cluster-{secrets.token_hex(4)}",
            members=tuple(Member(f"node{n}", host, port) for n, port in enumerate(ports, 1)),
            keys=KeyRing.fresh(),
        )

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Cluster:
        """Read a cluster's TOML file and the key file that it names; raise `ConfigError`."""
        file = Path(path)
        try:
            table = read_table(file)
            name = table.take("name", str)
            members = tuple(_take_member(row) for row in table.take_tables("members"))
            key_file = file.parent / table.take("key_file", str)
            cluster = cls(
                name=name,
                members=members,
                keys=read_keys(key_file),
                timing=_take_timing(table.take_table("timing")),
                max_datagram=table.take("max_datagram", int) if "max_datagram" in table else None,
                window=table.take("window", int, DEFAULT_WINDOW),
                key_file=key_file,
            )
            table.finish()
        except ConfigError as error:
            raise ConfigError(f"{file}: {error}") from None
        return cluster

    def save(self, path: str | PathLike[str]) -> None:
        """Write the TOML file and, beside it, ``cluster.key`` (mode 0600).

        Raises `ConfigError`, and leaves everything as it was, if either exists.
        """
        file = Path(path)
        key_file = file.parent / _KEY_FILE
        create_keys(key_file, self.keys)
        try:
            create_file(file, _to_toml(self), mode=0o644)
        except ConfigError:
            key_file.unlink()
            raise


def _take_member(table: Table) -> Member:
    member = Member(table.take("name", str), table.take("host", str), table.take("port", int))
    table.finish()
    return member


def _take_timing(table: Table) -> Timing:
    timing = Timing(
        heartbeat=table.take("heartbeat", float, Timing().heartbeat),
        suspicion=table.take("suspicion", float, Timing().suspicion),
        drift=table.take("drift", float, Timing().drift),
        lease_reads=table.take("lease_reads", bool, False),
        **({"lease": table.take("lease", float)} if "lease" in table else {}),
    )
    table.finish()
    return timing


def _to_toml(cluster: Cluster) -> str:
    lines = [
        "# A paxos cluster. Every member and every client has a copy of this file and of the key.",
        f"name = {toml_string(cluster.name)}",
        f"key_file = {toml_string(_KEY_FILE)}",
        f"window = {cluster.window}",
    ]
    if cluster.max_datagram is not None:
        lines.append(f"max_datagram = {cluster.max_datagram}")
    lines += [
        "",
        "[timing] # seconds",
        f"heartbeat = {cluster.timing.heartbeat}",
        f"suspicion = {cluster.timing.suspicion}",
        f"lease = {cluster.timing.lease}",
        f"drift = {cluster.timing.drift}",
        *(["lease_reads = true"] if cluster.timing.lease_reads else []),
    ]
    for member in cluster.members:
        lines += [
            "",
            "[[members]]",
            f"name = {toml_string(member.name)}",
            f"host = {toml_string(member.host)}",
            f"port = {member.port}",
        ]
    return "\n".join(lines) + "\n"
