"""What it costs and how fast it is. Run a module with ``python -m``; the last line is JSON."""
