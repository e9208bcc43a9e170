"""`python -m ic3` is `ic3`."""

from ic3.cli import main

main()
