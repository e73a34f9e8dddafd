"""What trainings read: prepared clips with their labels, and which windows of them make a batch."""
