"""What it costs and how fast it is.

``python -m benchmarks LIST...`` runs one or more of `catalogue.CATALOGUE`, or ``all``. Each maps a
frozen input to a frozen output, prints tables, and can write JSON and figures. `node_load` also
runs alone; the last line that it prints is JSON.

Needs the extra ``bench``.
"""
