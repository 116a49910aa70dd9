"""The same work on other people's software, in the same run: etcd, ZooKeeper and PySyncObj.

`base` is what a peer must be able to do; there is one file for each; `http2` and `pipelined` are
clients that cost little, so that the peer and not its client is measured; `compare` runs them one
after another.
"""
