"""The stage that trains: every learner on every split of one data set."""

from __future__ import annotations

import sys
import warnings

from sklearn.exceptions import ConvergenceWarning

from claimtrack import project
from claimtrack.runs import RESULTS


def main(data: str) -> None:
    """Keep the predictions on a data set in the folder of the run."""
    _, settings = project.present()  # from now on the modules of src can be imported
    from good_probabilities import study

    warnings.simplefilter("ignore", ConvergenceWarning)  # nets stop after a fixed number of passes
    study.write(RESULTS / settings.profile, data, settings.splits)


if __name__ == "__main__":
    main(sys.argv[1])
