"""The billing story: four services, one payment provider, and leaders that are killed mid-charge.

Run it with ``paxos demo``; it needs the extra ``demo``. Read it from `story` (the plot) to
`service` (what a user of this package would write), `intents` (what the services replicate) and
`provider` (the outside world, which checks the epoch and the idempotency key).
"""
