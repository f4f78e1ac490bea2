/**
 * `npm run chaos`: real services, real servers and faults, then every promise is checked. See docs/CHAOS.md.
 *   --seeds N      so many runs (default 1), from --seed S (default 1); 20 or more write the results into docs/CHAOS.md
 *   --quick        4,000 operations and 20 faults instead of 20,000 and 60
 *   --overload     instead: ten times what the services get done, for a minute
 *   --soak M       instead: M minutes at 80 % of what the services get done
 *   --lanes L      postgres, redis or kafka-redis (default)
 *   --keep         leave logs and journal in their folder
 *   --json         results as JSON, one a line
 */
import { parseArgs } from "node:util";
import { fullSize, quickSize, runChaos } from "./chaos-run.ts";
import { runOverload } from "./load/overload.ts";
import { runSoak } from "./load/soak.ts";
import { chaosLines, overloadLines, soakLines, writeLastResult } from "./report.ts";
import { laneChoices } from "./world.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1" },
    seed: { type: "string", default: "1" },
    lanes: { type: "string", default: "kafka-redis" },
    quick: { type: "boolean", default: false },
    overload: { type: "boolean", default: false },
    soak: { type: "string" },
    keep: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
});

const seedsOfLastResultMin = 20;
const overloadSeconds = 60;
const firstSeed = wholeNumber("seed", values.seed);
const seeds = wholeNumber("seeds", values.seeds);
const lanes = laneChoices.find((choice) => choice === values.lanes);
if (lanes === undefined) throw new Error(`--lanes must be one of ${laneChoices.join(", ")}`);

if (values.overload) {
  const result = await runOverload({ lanes, seconds: overloadSeconds, seed: firstSeed });
  tell(result, overloadLines(result));
} else if (values.soak !== undefined) {
  const result = await runSoak({ lanes, minutes: wholeNumber("soak", values.soak), seed: firstSeed });
  tell(result, soakLines(result));
} else {
  const results = [];
  for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
    const onEvent = (text: string) => process.stderr.write(`seed ${seed}: ${text}\n`);
    const size = values.quick ? quickSize : fullSize;
    const result = await runChaos({ seed, lanes, ...size, keepsFolder: values.keep, onEvent });
    results.push(result);
    tell(result, chaosLines(result));
  }
  if (!values.quick && seeds >= seedsOfLastResultMin) writeLastResult(results);
}

function tell(result: { readonly violations: readonly string[] }, lines: readonly string[]): void {
  console.log(values.json ? JSON.stringify(result) : lines.join("\n"));
  if (result.violations.length > 0) process.exitCode = 1;
}

function wholeNumber(name: string, text: string): number {
  const number = Number(text);
  if (Number.isSafeInteger(number) && number > 0) return number;
  throw new Error(`--${name} must be a whole number above 0, not ${JSON.stringify(text)}`);
}
