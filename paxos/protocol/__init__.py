"""What Lamport wrote, as pure state machines: no clock, no randomness, no sockets, no disk."""
