"""`python -m procure` is the command `procure`, also from a checkout so deep that a script's first line can't name its Python."""

from procure.cli import main

if __name__ == "__main__":  # granian's worker process imports this module under another name
    main()
