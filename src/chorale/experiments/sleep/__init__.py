"""Sleep: the launcher's yardstick. What its items cost is known, so whatever a run takes longer is the launcher's."""
