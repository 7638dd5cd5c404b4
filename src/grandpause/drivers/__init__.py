"""Drivers: one folder or file a protocol. A driver sends, reads and says what it heard; it never decides."""
