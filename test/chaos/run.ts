/**
 * `npm run chaos`: real services, real servers and faults, then every promise is checked.
 *   --seeds N      so many runs (default 1), from --seed S (default 1)
 *   --quick        4,000 operations and 20 faults instead of 20,000 and 60
 *   --lanes L      postgres or kafka-redis (default)
 *   --keep         leave logs and journal in their folder
 *   --json         the results as JSON on stdout
 */
import { parseArgs } from "node:util";
import { fullSize, quickSize, runChaos } from "./chaos-run.ts";
import { type LaneChoice, laneChoices } from "./world.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1" },
    seed: { type: "string", default: "1" },
    lanes: { type: "string", default: "kafka-redis" },
    quick: { type: "boolean", default: false },
    keep: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});

const lanes = laneChoices.find((choice) => choice === values.lanes) as LaneChoice;
for (let seed = Number(values.seed); seed < Number(values.seed) + Number(values.seeds); seed++) {
  const result = await runChaos({
    seed,
    lanes,
    ...(values.quick ? quickSize : fullSize),
    keepsFolder: values.keep,
    onEvent: (text) => process.stderr.write(`${text}\n`),
  });
  const violations = result.violations.slice(0, 20);
  console.log(JSON.stringify({ ...result, violations, violationCount: result.violations.length }, null, 2));
  if (result.violations.length > 0) process.exitCode = 1;
}
