import numpy as np

from speechtl.batches.padding import pad_features, pad_labels


def test_features_are_padded_with_zeros():
    matrices = [np.ones((2, 3), np.float32), np.full((4, 3), 2.0, np.float32)]
    padded, lengths = pad_features(matrices, 3)
    assert padded.shape == (2, 4, 3) and padded.dtype == np.float32
    assert lengths.tolist() == [2, 4] and lengths.dtype == np.int32
    np.testing.assert_array_equal(padded[0, :2], matrices[0])
    np.testing.assert_array_equal(padded[1], matrices[1])
    assert not padded[0, 2:].any()


def test_labels_are_padded_with_zeros():
    padded, lengths = pad_labels([[1, 2, 3], [], [4]])
    assert padded.tolist() == [[1, 2, 3], [0, 0, 0], [4, 0, 0]] and padded.dtype == np.int32
    assert lengths.tolist() == [3, 0, 1] and lengths.dtype == np.int32


def test_surplus_rows_are_empty():
    padded, lengths = pad_features([], 3, rows=1)
    assert padded.shape == (1, 1, 3) and lengths.tolist() == [0]
    padded, lengths = pad_features([np.zeros((0, 3), np.float32)], 3)
    assert padded.shape == (1, 1, 3) and lengths.tolist() == [0]
    padded, lengths = pad_labels([[]], rows=2)
    assert padded.shape == (2, 0) and lengths.tolist() == [0, 0]
