"""The command line: its verbs, each in a file of its own. Heavy imports happen only inside them."""
