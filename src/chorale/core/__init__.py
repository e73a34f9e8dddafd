"""Ground floor: configuration, atomic files, errors with a remedy, logs and seeds. Imports nothing above it."""
