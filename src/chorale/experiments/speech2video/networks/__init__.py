"""The networks, one a file, each with what the paper says of it and what is our choice."""
