"""Multi-decree Paxos to embed where exactly one of your machines may act."""
