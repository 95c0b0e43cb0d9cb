"""How a contract ends: completed with what was observed and learned, or terminated at a boundary."""
