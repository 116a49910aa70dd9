"""``python -m paxos.cli`` is ``paxos``, also where no scripts are installed."""

from paxos.cli import main

main()
