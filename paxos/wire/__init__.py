"""See the design; filled in below."""
