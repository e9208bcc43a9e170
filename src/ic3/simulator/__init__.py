"""The demo plant and its gateway: the other side of the wire, a process of its own on loopback."""
