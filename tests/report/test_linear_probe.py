import numpy as np
import pytest

from speechtl.errors import DataError
from speechtl.report.linear_probe import linear_classifier, principal_components, probe
from speechtl.report.picture import save_picture
from speechtl.report.scatter_chart import Panel, draw_scatter


def gaussians(count, size, distance, classes=2, seed=0):
    """Return points of spherical classes whose means are ``distance`` apart, the classes' numbers and speakers."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % classes
    means = np.eye(size)[:classes] * distance / np.sqrt(2)
    return rng.normal(size=(count, size)) + means[labels], labels, [f"s{i // classes % 10}" for i in range(count)]


def test_accuracy_is_that_of_the_best_classifier():
    points, labels, speakers = gaussians(4000, 3, 2.0)
    found = probe(points, [str(label) for label in labels], speakers)
    assert found.accuracy == pytest.approx(0.841, abs=0.02)  # the normal distribution's mass below 1
    assert found.chance == 0.5 and found.balanced == pytest.approx(found.accuracy, abs=1e-3)


def test_without_any_difference_it_finds_none_even_in_many_dimensions():
    points, labels, speakers = gaussians(120, 100, 0.0, classes=3)
    names = [str(label) for label in labels]
    assert probe(points, names, speakers).accuracy < 0.5
    fitted = linear_classifier(3).fit(points, labels)
    assert np.mean(fitted.predict(points) == labels) > 0.7  # what a test on the fitted points would have said


def test_what_a_speaker_sounds_like_does_not_count_as_the_domain():
    """Every speaker has a place of its own and a domain by chance: nothing carries over to other speakers."""
    rng = np.random.default_rng(1)
    places = rng.normal(0, 5, (20, 30))
    speakers = np.repeat(np.arange(20), 8)
    points = places[speakers] + rng.normal(size=(160, 30))
    domains = ["ab"[speaker % 2] for speaker in speakers]
    held = probe(points, domains, [f"s{speaker}" for speaker in speakers])
    assert held.held_out == "speakers" and held.accuracy < 0.7
    by_utterance = probe(points, domains, domains)  # as if each domain were one speaker
    assert by_utterance.held_out == "utterances" and by_utterance.accuracy > 0.95


def test_shrinkage_is_that_of_the_formula():
    """Ledoit & Wolf 2004, of dimensions scaled to unit variance."""
    points = np.cumsum(np.random.default_rng(2).normal(size=(30, 8)), axis=1)
    points -= points.mean(axis=0)
    scale = points.std(axis=0)
    scaled = points / scale
    covariance = scaled.T @ scaled / 30
    sphere = np.trace(covariance) / 8 * np.eye(8)
    noise = sum(np.sum((np.outer(x, x) - covariance) ** 2) for x in scaled) / 30**2
    share = noise / np.sum((covariance - sphere) ** 2)
    assert 0.05 < share < 1
    two_classes = np.concatenate([points, points + 100])
    fitted = linear_classifier(2).fit(two_classes, np.repeat([0, 1], 30))
    expected = ((1 - share) * covariance + share * sphere) * np.outer(scale, scale)
    np.testing.assert_allclose(fitted.covariance_, expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(fitted.priors_, 0.5)


def test_components_keep_the_distances_of_a_plane_and_drop_what_varies_least():
    rng = np.random.default_rng(3)
    plane = rng.normal(size=(40, 2)) * [3, 1]
    turned, _ = np.linalg.qr(rng.normal(size=(6, 6)))
    placed = principal_components(plane @ turned[:2] + 5)

    def between(x):
        return np.linalg.norm(x[:, np.newaxis] - x, axis=-1)

    np.testing.assert_allclose(between(placed), between(plane), atol=1e-9)
    assert principal_components(np.ones((3, 1))).shape == (3, 2)


def test_too_few_points_or_classes_are_named():
    with pytest.raises(DataError, match=r"got: a \(3\), b \(1\)"):
        probe(np.zeros((4, 2)), list("aaab"), list("wxyz"))
    with pytest.raises(DataError, match=r"two or more classes"):
        probe(np.zeros((4, 2)), list("aaaa"), list("wxyz"))


def test_a_dimension_that_never_varies_and_small_classes_do_no_harm():
    points, labels, _ = gaussians(60, 4, 6.0)
    points[:, 3] = 7.0
    names = ["rare" if index in (0, 2, 4) else str(label) for index, label in enumerate(labels)]
    found = probe(points, names, names)
    assert found.held_out == "utterances" and found.accuracy > 0.7


def test_the_picture_has_every_point_once_and_names_every_class(tmp_path):
    points = np.array([[0.0, 0.0], [1.0, 2.0], [3.0, 1.0]])
    panels = [Panel("before <1>", "note", points, ["a&b", "c", "c"]), Panel("after", "", points * 0, ["c", "c", "d"])]
    figure = draw_scatter(panels)
    drawn = [[len(one.get_offsets()) for one in axes.collections] for axes in figure.axes]
    assert drawn == [[1, 2, 0], [0, 2, 1]]
    colours = [[one.get_facecolor()[0].tolist() for one in axes.collections] for axes in figure.axes]
    assert colours[0] == colours[1]
    save_picture(figure, tmp_path / "a.svg")
    picture = (tmp_path / "a.svg").read_text()
    assert "before &lt;1&gt;" in picture and "nan" not in picture
    assert [picture.count(f">{name}</text>") for name in ("a&amp;b", "c", "d")] == [1, 1, 1]
