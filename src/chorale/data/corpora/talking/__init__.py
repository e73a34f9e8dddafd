"""People seen and heard while they speak: readers of the layouts, and how their clips are split."""
