"""W&B as an exporter of a run's events: it is told what the run's directory holds, and the run never waits on it."""
