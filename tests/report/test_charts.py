"""Bins of few answers look like what they are; counts have an axis."""

import re

from ipmix.report.charts import THIN, reliability

EDGES = [0.0, 0.25, 0.5, 0.75, 1.0]


def drawn(count):
    return reliability(EDGES, count, [0.2, 0.4, 0.6, 0.9], [0.1, 0.5, 0.6, 0.9], title="T", style=1)


def widths(chart):
    return [float(found) for found in re.findall(r'class="fill" x="[\d.]+" width="([\d.]+)"', chart)]


def test_bins_of_few_answers_are_pale_and_narrow():
    chart = drawn([0, THIN - 1, THIN, 1418])
    assert chart.count('class="thin"') == 1
    narrow, *others = widths(chart)
    assert others == [2 * narrow, 2 * narrow]
    assert 'class="thin"' not in drawn([THIN] * 4)


def test_the_counts_have_an_axis_a_label_and_the_color_of_their_run():
    chart = drawn([0, 9, 10, 1418])
    assert ">1,418</text>" in chart
    assert ">images</text>" in chart
    inside = chart[chart.index('<g class="s1') : chart.index('class="base"')]
    assert inside.count('class="count"') == 3
    bars = re.findall(r'class="count" x="[\d.]+" width="[\d.]+" y="([\d.]+)" height="([\d.]+)"', chart)
    assert len({round(float(y) + float(height), 1) for y, height in bars}) == 1, "they stand on one line"
