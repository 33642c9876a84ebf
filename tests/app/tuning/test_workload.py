"""app.tuning.workload: what clients ask for, and when."""

import itertools
import json

import pytest

from app.tuning.loadgen import poisson
from app.tuning.workload import builtin_workload, load_workload


@pytest.fixture
def workload_of(tmp_path):
    def read(text):
        (tmp_path / "mix.jsonl").write_text(text)
        return load_workload(tmp_path / "mix.jsonl")

    return read


def test_a_line_is_a_text_or_an_object(workload_of):
    workload = workload_of('Plain text.\n\n{"input": "An object.", "voice": "joe", "weight": 3}\n')

    assert ["Plain text.", "An object."] == [text.body["input"] for text in workload.texts]
    assert [1.0, 3.0] == [text.weight for text in workload.texts]
    assert {"input": "An object.", "voice": "joe", "response_format": "wav", "stream": True, "seed": 1} == workload.texts[1].body


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no texts, expected one a line"),
        ("Fine.\n{not json", "mix.jsonl:2: begins like JSON and is not JSON"),
        ('{"voice": "joe"}', 'expected a text in "input", found None'),
        ('{"input": "  "}', "expected a text"),
        ('{"input": "Hello.", "weight": 0}', '"weight" is 0, expected 0.001 to 1000'),
        ('{"input": "Hello.", "weight": true}', '"weight" is True'),
        ('{"input": "Hello.", "weight": NaN}', '"weight" is nan'),
    ],
)
def test_what_is_no_workload_is_refused_with_its_line(workload_of, text, said):
    with pytest.raises(ValueError) as refusal:
        workload_of(text)

    assert said in str(refusal.value)


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(ValueError, match="none.txt: the mix cannot be read"):
        load_workload(tmp_path / "none.txt")


def test_texts_come_as_often_as_they_weigh(workload_of):
    workload = workload_of('{"input": "often", "weight": 9}\nseldom\n')

    drawn = [json.loads(each.body)["input"] for each in itertools.islice(workload.draw(5), 2000)]
    assert 1700 < drawn.count("often") < 1900


def test_the_longest_text_is_as_long_as_it_should_be_and_asked_for_as_a_file():
    request = builtin_workload().long_request(3000)

    assert 2900 < request.characters <= 3000
    assert json.loads(request.body)["stream"] is False


def test_the_same_seed_is_the_same_luck_at_any_rate():
    workload = builtin_workload()
    slow, fast = poisson(workload.draw(3), 5.0, 100.0, seed=3), poisson(workload.draw(3), 10.0, 50.0, seed=3)

    assert [each.request for each in slow] == [each.request for each in fast]
    assert [each.due_s for each in slow] == pytest.approx([2 * each.due_s for each in fast])
    others = poisson(workload.draw(4), 5.0, 100.0, seed=4)
    assert [each.request for each in slow] != [each.request for each in others][: len(slow)]


def test_arrivals_are_poisson_and_know_nothing_of_texts():
    arrivals = poisson(builtin_workload().draw(1), 10.0, 1000.0, seed=1)

    gaps_s = [after.due_s - before.due_s for before, after in itertools.pairwise(arrivals)]
    mean_s = sum(gaps_s) / len(gaps_s)
    variation = sum((gap - mean_s) ** 2 for gap in gaps_s) / len(gaps_s) / mean_s**2
    lengths = [each.request.characters for each in arrivals[1:]]
    mean = sum(lengths) / len(lengths)
    together = sum((gap - mean_s) * (length - mean) for gap, length in zip(gaps_s, lengths)) / len(gaps_s)
    spread = mean_s * (sum((length - mean) ** 2 for length in lengths) / len(lengths)) ** 0.5

    assert 0.1 == pytest.approx(mean_s, rel=0.05)
    assert 1.0 == pytest.approx(variation, rel=0.1)
    assert abs(together / spread) < 0.05
