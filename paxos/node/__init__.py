"""What runs on a real machine: the cluster file, and the journal off the Trio loop."""
