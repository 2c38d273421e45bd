"""Draws depend on their key alone, have the distribution they claim, and never change."""

import statistics

import numpy as np
import pytest

from delever.agents import draws
from delever.agents.draws import Stream
from delever.agents.elementary import exp, log, normal_quantile

SEED = 20200312
KEYS = np.arange(10_000)


def kolmogorov_distance(sample, distribution):
    """Largest distance between the empirical distribution of `sample` and a distribution function."""
    heights = distribution(np.sort(sample))
    n = sample.size
    return max(np.max(np.arange(1, n + 1) / n - heights), np.max(heights - np.arange(n) / n))


# P(distance > 2 / sqrt(n)) is 0.0007 for a true distribution; as the seed is fixed, no luck is left.
KOLMOGOROV_BOUND = 2.0 / np.sqrt(KEYS.size)


def test_bits_follow_the_published_generator():
    # The chain of SplitMix64 output functions, written out once more in Python's own integers.
    def scramble(word):
        word = (word + 0x9E3779B97F4A7C15) % 2**64
        word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        word = (word ^ word >> 27) * 0x94D049BB133111EB % 2**64
        return word ^ word >> 31

    assert scramble(0) == 0xE220A8397B1DCDAF  # first output of the published generator for seed 0
    for seed, stream, key, k in [(0, 1, 0, 0), (SEED, 15, 7, 3), (2**63 - 1, 1000, 2**63 - 1, 12)]:
        expected = scramble(scramble(scramble(scramble(seed) ^ stream) ^ key) ^ k)
        assert int(draws.bits(seed, stream, key, k)) == expected


def test_draws_never_change():
    assert int(draws.bits(1, Stream.WAKE, 2, 3)) == 7725364555548041738
    assert draws.uniform(1, Stream.WAKE, 2, 3) == 0.4187928517183851
    assert draws.normal(1, Stream.WAKE, 2, 3) == -0.20498262064121398
    assert draws.exponential(1, Stream.WAKE, 2, 3) == 0.8703788686166549
    assert draws.integers(-50, 50, 1, Stream.WAKE, 2, 3) == -9
    assert draws.pareto(1.5, 1, Stream.WAKE, 2, 3) == 1.786489603665795
    assert draws.lognormal(0.5, 2.0, 1, Stream.WAKE, 2, 3) == 1.0942123164610933


def test_stream_numbers_never_change():
    assert {stream.name: int(stream) for stream in Stream} == {
        "WAKE": 1, "LATENCY": 2, "SIDE": 3, "SIZE": 4, "PRICE": 5, "LEVERAGE": 6, "WEALTH": 7, "TYPE": 8,
        "CHOICE": 9, "CANCEL": 10, "STOP": 11, "TOP_UP": 12, "VALUE": 13, "HOLD": 14, "PATH": 15,
        "BRIDGE": 16, "EXTREME": 17, "JUMP": 18, "JUMP_SIZE": 19, "SOURCE": 20,
        "FEE": 21, "BLOCK": 22, "WALLET": 23,
        "CUSTOM": 1000,
    }  # fmt: skip


@pytest.mark.parametrize("draw", [draws.bits, draws.uniform, draws.normal, draws.exponential])
def test_a_draw_depends_on_its_key_alone(draw):
    together = draw(SEED, Stream.SIZE, KEYS, 5)
    backwards = draw(SEED, Stream.SIZE, KEYS[::-1], 5)[::-1]
    some = draw(SEED, Stream.SIZE, KEYS[7::13], 5)
    alone = [draw(SEED, Stream.SIZE, int(key), 5) for key in KEYS[:300]]
    assert np.array_equal(together, backwards)
    assert np.array_equal(together[7::13], some)
    assert np.array_equal(together[:300], alone)


def test_key_and_k_broadcast():
    table = draws.uniform(SEED, Stream.SIZE, KEYS[:4, None], KEYS[:6])
    assert table.shape == (4, 6)
    assert draws.uniform(SEED, Stream.SIZE, 3, 5).shape == ()
    assert table[3, 5] == draws.uniform(SEED, Stream.SIZE, 3, 5)
    assert draws.normal(SEED, Stream.SIZE, KEYS[:4, None], KEYS[:6]).shape == (4, 6)
    assert draws.integers(0, np.array([[1], [10], [100], [1000]]), SEED, 1, 0, KEYS[:6]).shape == (4, 6)
    assert draws.exponential(SEED, Stream.SIZE, KEYS[:0], 0).shape == (0,)
    assert draws.normal(SEED, Stream.SIZE, KEYS[:0], 0).shape == (0,)


def test_types_of_integers_do_not_matter():
    expected = draws.bits(SEED, Stream.SIDE, KEYS[:9], 4)
    for kind in (np.int32, np.uint64, np.int64):
        assert np.array_equal(draws.bits(SEED, 3, KEYS[:9].astype(kind), kind(4)), expected)
    assert np.array_equal(draws.bits(np.int64(SEED), Stream.SIDE, list(range(9)), 4), expected)


def test_arguments_are_not_written_to():
    keys = KEYS.astype(np.uint64)
    draws.bits(SEED, Stream.SIDE, keys, keys)
    assert np.array_equal(keys, KEYS)


def test_every_part_of_the_key_matters():
    base = draws.bits(SEED, Stream.SIDE, KEYS, 0)
    others = [
        draws.bits(SEED + 1, Stream.SIDE, KEYS, 0),
        draws.bits(SEED, Stream.SIZE, KEYS, 0),
        draws.bits(SEED, Stream.SIDE, KEYS, 1),
        draws.bits(SEED, Stream.SIDE, 0, KEYS + 2),
    ]
    everything = np.concatenate([base, *others])
    # 50,000 of 2^64 words: the chance of a single coincidence is 7e-11.
    assert np.unique(everything).size == everything.size


def test_uniform_is_uniform():
    numbers = draws.uniform(SEED, Stream.SIDE, KEYS[:1000, None], np.arange(200))
    counts = np.histogram(numbers, bins=256, range=(0.0, 1.0))[0]
    expected = numbers.size / 256
    # 99.9 % of chi-square with 255 degrees of freedom lies below 330.5, and 99.9 % above 188.
    assert 188.0 < np.sum((counts - expected) ** 2) / expected < 330.5


@pytest.mark.parametrize("place", range(64))
def test_every_bit_is_fair(place):
    ones = int(np.sum(draws.bits(SEED, Stream.SIDE, KEYS, 0) >> np.uint64(place) & np.uint64(1)))
    assert abs(ones - KEYS.size / 2) < 4.5 * np.sqrt(KEYS.size / 4)


def test_uniform_never_reaches_its_ends(monkeypatch):
    ends = np.array([0, 2**64 - 1, 2**63], dtype=np.uint64)
    monkeypatch.setattr(draws, "bits", lambda *_: ends.copy())
    assert draws.uniform(SEED, 1, 0, 0).tolist() == [2.0**-53, 1.0 - 2.0**-53, 0.5 + 2.0**-53]
    assert np.isfinite(draws.normal(SEED, 1, 0, 0)).all()
    assert (draws.exponential(SEED, 1, 0, 0) > 0.0).all()
    assert draws.integers(0, 2**48, SEED, 1, 0, 0).tolist() == [0, 2**48 - 1, 2**47]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (draws.normal(SEED, Stream.SIDE, KEYS, 0), draws.normal(SEED, Stream.SIZE, KEYS, 0)),
        (draws.normal(SEED, Stream.SIDE, KEYS, 0), draws.normal(SEED + 1, Stream.SIDE, KEYS, 0)),
        (draws.normal(SEED, Stream.SIDE, KEYS, 0), draws.normal(SEED, Stream.SIDE, KEYS, 1)),
        (draws.normal(SEED, Stream.SIDE, KEYS, 0), draws.normal(SEED, Stream.SIDE, KEYS + 1, 0)),
        (draws.normal(SEED, Stream.SIDE, KEYS, 0), draws.normal(SEED, Stream.SIDE, 0, KEYS)),
    ],
    ids=["stream", "seed", "k", "next key", "key and k"],
)
def test_different_draws_are_uncorrelated(one, other):
    assert abs(np.corrcoef(one, other)[0, 1]) < 4.0 / np.sqrt(KEYS.size)


@pytest.mark.parametrize(
    ("sample", "distribution"),
    [
        (draws.uniform(SEED, Stream.SIDE, KEYS, 0), lambda x: x),
        (draws.normal(SEED, Stream.SIDE, KEYS, 0), np.vectorize(statistics.NormalDist().cdf)),
        (draws.exponential(SEED, Stream.SIDE, KEYS, 0), lambda x: 1.0 - np.exp(-x)),
        (draws.pareto(1.5, SEED, Stream.SIDE, KEYS, 0), lambda x: 1.0 - x**-1.5),
        (
            draws.lognormal(2.0, 0.5, SEED, Stream.SIDE, KEYS, 0),
            lambda x: np.vectorize(statistics.NormalDist(2.0, 0.5).cdf)(np.log(x)),
        ),
    ],
    ids=["uniform", "normal", "exponential", "pareto", "lognormal"],
)
def test_distribution(sample, distribution):
    assert kolmogorov_distance(sample, distribution) < KOLMOGOROV_BOUND


def test_integers_are_equally_likely_and_in_range():
    numbers = draws.integers(-3, 4, SEED, Stream.SIDE, KEYS, 0)
    values, counts = np.unique(numbers, return_counts=True)
    assert values.tolist() == [-3, -2, -1, 0, 1, 2, 3]
    # 99.9 % of chi-square with 6 degrees of freedom lies below 22.5.
    assert np.sum((counts - KEYS.size / 7) ** 2) / (KEYS.size / 7) < 22.5
    assert (draws.integers(5, 6, SEED, Stream.SIDE, KEYS, 0) == 5).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: draws.uniform(-1, Stream.SIDE, 0, 0), r"seed must be from 0 to 2\^63 - 1 \(got -1\)"),
        (lambda: draws.uniform(2**63, Stream.SIDE, 0, 0), r"seed must be from 0"),
        (lambda: draws.uniform(0, 999, 0, 0), r"stream must be .* from 1000 up \(got 999\)"),
        (lambda: draws.uniform(0, -5, 0, 0), r"stream must be"),
        (lambda: draws.integers(3, 3, 0, Stream.SIDE, 0, 0), r"high - low must be from 1"),
        (lambda: draws.integers(0, 2**49, 0, Stream.SIDE, 0, 0), r"high - low must be from 1 to 2\^48"),
        (lambda: draws.pareto(0.0, 0, Stream.SIDE, 0, 0), r"alpha must be above 0 \(got 0.0\)"),
        (lambda: draws.lognormal(0.0, [1.0, -1.0], 0, Stream.SIDE, 0, 0), r"sd_log must not be negative"),
        (lambda: draws.lognormal(0.0, np.nan, 0, Stream.SIDE, 0, 0), r"sd_log must not be negative"),
    ],
)
def test_wrong_values_are_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_fractions_are_no_keys():
    with pytest.raises(TypeError, match="key must be integers"):
        draws.uniform(0, Stream.SIDE, 1.5, 0)
    with pytest.raises(TypeError, match="k must be integers"):
        draws.uniform(0, Stream.SIDE, 1, np.array([0.0]))
    with pytest.raises(TypeError):
        draws.uniform(0.5, Stream.SIDE, 1, 0)


def test_custom_streams_are_free():
    one, other = draws.uniform(0, Stream.CUSTOM, 1, 0), draws.uniform(0, Stream.CUSTOM + 1, 1, 0)
    assert one != other


def test_logarithm_and_exponential_are_right_to_the_last_bits():
    numbers = np.concatenate(
        [draws.uniform(SEED, 1, KEYS, 0), 10.0 ** (600.0 * draws.uniform(SEED, 1, KEYS, 1) - 300.0)]
    )
    assert np.allclose(log(numbers), np.log(numbers), rtol=1e-15, atol=0.0)
    powers = 1400.0 * draws.uniform(SEED, 1, KEYS, 2) - 700.0
    assert np.allclose(exp(powers), np.exp(powers), rtol=1e-15, atol=0.0)
    assert exp([0.0, 710.0, -1e300, 1e300]).tolist() == [1.0, np.inf, 0.0, np.inf]
    assert log(1.0) == 0.0


@pytest.mark.parametrize("number", [0.0, -1.0, np.inf, np.nan, 5e-324])
def test_logarithm_refuses_what_has_none(number):
    with pytest.raises(ValueError, match="log: every number"):
        log([1.0, number])


def test_normal_quantile_agrees_with_the_standard_library_and_is_odd():
    chances = draws.uniform(SEED, 1, KEYS, 0)
    chances = np.concatenate([chances, chances * 1e-14])
    expected = [statistics.NormalDist().inv_cdf(float(chance)) for chance in chances]
    # Near 0.5 the quantile itself is as small as the error of 1 - p.
    assert np.allclose(normal_quantile(chances), expected, rtol=3e-15, atol=1e-16)
    mirrored = draws.uniform(SEED, 1, KEYS, 0)
    assert np.array_equal(normal_quantile(1.0 - mirrored), -normal_quantile(mirrored))
