"""``python -m chorale``: the same as ``chorale``."""

from chorale.cli.main import main

if __name__ == "__main__":
    main()
