"""Run exported models with NumPy and ONNX Runtime: nothing here needs TensorFlow."""
