"""`python -m app.cli`: the same as `chorus`."""

from app.cli import main

if __name__ == "__main__":
    main()
