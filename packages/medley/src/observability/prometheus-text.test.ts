import { Histogram } from "@medley/pipeline";
import { expect, test } from "vitest";
import { renderFamilies } from "./prometheus-text.ts";

test("counters, gauges and histograms as Prometheus reads them: buckets add up", () => {
  const seconds = new Histogram([0.5, 1]);
  for (const value of [0.5, 0.7, 3]) seconds.observe(value);
  const text = renderFamilies([
    { name: "a_total", type: "counter", help: "Of a.", samples: [{ labels: {}, value: 3 }] },
    {
      name: "b_seconds",
      type: "histogram",
      help: "Of b.",
      samples: [{ labels: { lane: "x" }, value: seconds }],
    },
    { name: "c", type: "gauge", help: "Not known now.", samples: [] },
  ]);
  expect(text).toBe(`# HELP a_total Of a.
# TYPE a_total counter
a_total 3
# HELP b_seconds Of b.
# TYPE b_seconds histogram
b_seconds_bucket{lane="x",le="0.5"} 1
b_seconds_bucket{lane="x",le="1"} 2
b_seconds_bucket{lane="x",le="+Inf"} 3
b_seconds_sum{lane="x"} 4.2
b_seconds_count{lane="x"} 3
# HELP c Not known now.
# TYPE c gauge
`);
});

test("what a label holds can't end it", () => {
  const samples = [{ labels: { role: 'a"} 1\nb \\' }, value: 1 }];
  expect(renderFamilies([{ name: "a", type: "gauge", help: "-", samples }])).toContain(
    'a{role="a\\"} 1\\nb \\\\"} 1\n',
  );
});
