"""What stands on a chosen log, as pure as the protocol: leader election, batching, effects."""
