"""The federation: what crosses between server and clients, how it is added up, and what it costs."""
