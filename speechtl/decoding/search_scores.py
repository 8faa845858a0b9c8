"""From posteriors to the scores that the search adds up."""

import numpy as np

from speechtl.decoding.config import DecodingConfig
from speechtl.errors import DataError
from speechtl.lang.phone_inventory import PhoneInventory

# Rounding may take the logarithm of a probability so far above 0.
_LOG_OF_ONE = 1e-3


def search_scores(log_posteriors: np.ndarray, inventory: PhoneInventory, config: DecodingConfig) -> np.ndarray:
    """Check posteriors, and return what the search adds up: scaled, with the blank penalty.

    Args:
        log_posteriors: natural logarithms ``(frames, units)``, unit 0 the blank.
        inventory: the phones of units 1, 2, ...
        config: scale and penalty.

    Returns:
        ``(frames, units)`` float32.

    Raises:
        DataError: the posteriors do not have the model's units, or are not logarithms of probabilities.
    """
    units = len(inventory) + 1
    scores = np.array(log_posteriors, dtype=np.float32, order="C")
    if scores.size == 0:
        return np.zeros((0, units), np.float32)
    if scores.ndim != 2 or scores.shape[1] != units:
        shape = " x ".join(map(str, scores.shape))
        raise DataError(
            f"posteriors of shape {shape}, expected frames x {units} (the blank and {units - 1} phones); "
            "take posteriors and phones from the same model"
        )
    with np.errstate(invalid="ignore"):
        # A sum is NaN or inf if one of its terms is, and reads the matrix once.
        total, most = scores.sum(), scores.max()
    if np.isnan(total) or most == np.inf:
        raise DataError("posteriors are NaN or inf in places; the model that computed them is broken")
    if most > _LOG_OF_ONE:
        raise DataError(
            f"posteriors are not natural logarithms of probabilities (got {most:g}, expected at most 0); take "
            "log_softmax of the model's outputs"
        )
    scores[:, 0] -= config.blank_penalty
    if config.acoustic_scale != 1.0:
        scores *= config.acoustic_scale
    return scores
