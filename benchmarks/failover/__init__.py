"""How long a cluster is without a leader when it loses one, and whether it ever loses one wrongly.

`participant` is a process with a node and a client that proposes all the time; `drill` harms
whoever leads or holds an election; `losses` do that again and again, and `quiet` harms nobody.
"""
