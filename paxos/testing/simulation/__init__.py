"""One cluster on virtual time, its clients and its faults; see `Simulation`."""
