"""From a trained experiment to one file that runs without TensorFlow."""
