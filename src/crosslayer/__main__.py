"""``python -m crosslayer``: the command line."""

from crosslayer.cli import main

if __name__ == "__main__":
    main()
