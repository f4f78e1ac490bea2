/** What a candidate takes once it serves. */
export interface Cost {
  /** To encode a record, on the machine that measured. */
  readonly millisecondsPerRecord: number;
  /** Of the segment as it is stored, two per dimension. */
  readonly bytesPerRecord: number;
  /** Files of the model; 0 for a closed form. */
  readonly modelBytes: number;
  /** 0 where nothing is trained. */
  readonly trainingSeconds: number;
}

/** Times closer than a factor of two are noise; what takes less than this is lost beside the writing of a row. */
const millisecondsMin = 1;

/**
 * Below 0: `a` is the cheaper one. Time per record counts first, in powers of two from 1 ms on, since every record is encoded and every
 * change of it again; then the bytes that each record takes for ever, those of the model, and the training, which happens seldom.
 */
export function compareCosts(a: Cost, b: Cost): number {
  return (
    timeClass(a) - timeClass(b) ||
    a.bytesPerRecord - b.bytesPerRecord ||
    a.modelBytes - b.modelBytes ||
    a.trainingSeconds - b.trainingSeconds
  );
}

function timeClass({ millisecondsPerRecord }: Cost): number {
  return Math.max(0, Math.round(Math.log2(millisecondsPerRecord / millisecondsMin)));
}

export function sumOfCosts(costs: readonly Cost[]): Cost {
  const sum = (of: (cost: Cost) => number) => costs.reduce((total, cost) => total + of(cost), 0);
  return {
    millisecondsPerRecord: sum((cost) => cost.millisecondsPerRecord),
    bytesPerRecord: sum((cost) => cost.bytesPerRecord),
    modelBytes: sum((cost) => cost.modelBytes),
    trainingSeconds: sum((cost) => cost.trainingSeconds),
  };
}
