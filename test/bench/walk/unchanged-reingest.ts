import { secondsOf } from "../duel.ts";
import { ingest, withPipeline } from "../embedded-pipeline.ts";
import { films } from "../films.ts";
import { type Measurement, median } from "../measurement.ts";

const filmsCount = 2_000;
const againRounds = 5;
const goalRatio = 20;

/** A file that is read again unchanged costs no model call. */
export function run(): Promise<Measurement[]> {
  const picked = films(filmsCount);
  return withPipeline({}, async (deployment) => {
    const { segments } = deployment.counters;
    const first = await secondsOf(() => ingest(deployment, picked));
    const encodedFirst = segments.encodedByModel;
    const again: number[] = [];
    for (let round = 0; round < againRounds; round++) {
      again.push(await secondsOf(() => ingest(deployment, picked)));
    }
    const modelCalls = segments.encodedByModel - encodedFirst;
    const ratios = again.map((seconds) => first / seconds);
    const ratio = median(ratios);
    const perSecond = (seconds: number) => (filmsCount / seconds).toFixed(0);
    return [
      {
        name: "unchanged films / first ingest",
        value: ratio,
        goal: `at least ${goalRatio}, without a model call`,
        met: ratio >= goalRatio && encodedFirst === filmsCount && modelCalls === 0,
        detail:
          `${filmsCount} films: first ${perSecond(first)}, again ${perSecond(median(again))} records/s; ` +
          `ratio ${Math.min(...ratios).toFixed(1)} to ${Math.max(...ratios).toFixed(1)} over ${againRounds} rounds; ` +
          `texts encoded by the model: first ${encodedFirst}, again ${modelCalls}`,
      },
    ];
  });
}
