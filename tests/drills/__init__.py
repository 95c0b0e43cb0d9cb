"""What takes longer than a test: real processes, real signals, thousands of listeners. `make drill` runs them; they stop by themselves."""
