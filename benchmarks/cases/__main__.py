"""`python -m benchmarks.cases` prints the table."""

import sys

from benchmarks.cases.run import main

sys.exit(main())
