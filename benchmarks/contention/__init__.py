"""How many rounds a decision takes when many want it at once.

`station` is a node with the real roles; `arena` runs some on virtual time, `udp` in processes of
their own; `policies` are what rivals do about each other; `links` what the network does; `sweep`
puts it together.
"""
