"""`python -m mucode`, the same as `mucode`."""

from mucode.cli import main

if __name__ == "__main__":
    main()
