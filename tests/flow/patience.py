"""How long a test waits for what has to come."""

from typing import Final

# Costs nothing where all goes well; a machine that is busy with other things is no failure.
PATIENCE_S: Final = 120.0
