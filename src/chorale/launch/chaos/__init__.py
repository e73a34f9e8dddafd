"""A developer's tool: carry a run out on the testbed while things are killed, and compare with an undisturbed one."""
