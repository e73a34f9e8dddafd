"""The comparison behind the claims: arms, their curves, the figures of them, verdicts. See ``claims``."""
