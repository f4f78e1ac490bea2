// AssemblyScript: the loop of packages/training/src/graph/skip-gram.ts with 128-bit vectors. The caller says where in the memory
// what lies. Rows of the tables are `row` bytes long, a multiple of 64, with zeros after the vector.

const rangeMax: f32 = 8;
const stepsPerUnit: f32 = 64;
const stepLast: i32 = 1023;

/** At `state`: the random numbers' state (u32), and from byte 8 on the sums of the pairs and of their losses (f64). */
let random: u32 = 0;

function uint32(): u32 {
  random += 0x6d2b79f5;
  let mixed = (random ^ (random >> 15)) * (1 | random);
  mixed = (mixed + (mixed ^ (mixed >> 7)) * (61 | mixed)) ^ mixed;
  return mixed ^ (mixed >> 14);
}

function dot(a: usize, b: usize, row: usize): f32 {
  let w = f32x4.splat(0);
  let x = w;
  let y = w;
  let z = w;
  const end = a + row;
  for (; a < end; a += 64, b += 64) {
    w = f32x4.add(w, f32x4.mul(v128.load(a), v128.load(b)));
    x = f32x4.add(x, f32x4.mul(v128.load(a, 16), v128.load(b, 16)));
    y = f32x4.add(y, f32x4.mul(v128.load(a, 32), v128.load(b, 32)));
    z = f32x4.add(z, f32x4.mul(v128.load(a, 48), v128.load(b, 48)));
  }
  const sum = f32x4.add(f32x4.add(w, x), f32x4.add(y, z));
  return f32x4.extract_lane(sum, 0) + f32x4.extract_lane(sum, 1) + f32x4.extract_lane(sum, 2) + f32x4.extract_lane(sum, 3);
}

/**
 * Each of the `count` rows at `rows` (its address, and what the centre's row is multiplied by to be added to it) gets its share of
 * the row at `centre`, and that its shares of them, all as they were before.
 */
function update(centre: usize, rows: usize, count: i32, row: usize): void {
  const end = rows + (<usize>count << 3);
  for (let at: usize = 0; at < row; at += 64) {
    const from = centre + at;
    const a = v128.load(from);
    const b = v128.load(from, 16);
    const c = v128.load(from, 32);
    const d = v128.load(from, 48);
    let w = a;
    let x = b;
    let y = c;
    let z = d;
    for (let each = rows; each < end; each += 8) {
      const other = <usize>load<u32>(each) + at;
      const share = v128.load32_splat(each, 4);
      const e = v128.load(other);
      const f = v128.load(other, 16);
      const g = v128.load(other, 32);
      const h = v128.load(other, 48);
      v128.store(other, f32x4.add(e, f32x4.mul(share, a)));
      v128.store(other, f32x4.add(f, f32x4.mul(share, b)), 16);
      v128.store(other, f32x4.add(g, f32x4.mul(share, c)), 32);
      v128.store(other, f32x4.add(h, f32x4.mul(share, d)), 48);
      w = f32x4.add(w, f32x4.mul(share, e));
      x = f32x4.add(x, f32x4.mul(share, f));
      y = f32x4.add(y, f32x4.mul(share, g));
      z = f32x4.add(z, f32x4.mul(share, h));
    }
    v128.store(from, w);
    v128.store(from, x, 16);
    v128.store(from, y, 32);
    v128.store(from, z, 48);
  }
}

/** `probability` and `alias`: of the negatives; 0: every node is as likely. `curves`: sigmoid and softplus, two f32 a step. */
export function train(
  centres: usize, contexts: usize, row: usize, nodes: u32, walks: usize, count: i32, length: i32, window: u32,
  negatives: i32, probability: usize, alias: usize, curves: usize, rows: usize, rate: f64, rateFall: f64, state: usize,
): void {
  random = load<u32>(state);
  let pairs: f64 = 0;
  let loss: f64 = 0;
  for (let n = 0; n < count; n++) {
    const walkRate = <f32>(rate - rateFall * <f64>n);
    const walk = walks + (<usize>(n * length) << 2);
    let nodesOfWalk = 0;
    while (nodesOfWalk < length && load<i32>(walk + (<usize>nodesOfWalk << 2)) >= 0) nodesOfWalk++;
    for (let i = 0; i < nodesOfWalk; i++) {
      const context = load<u32>(walk + (<usize>i << 2));
      const reach = 1 + <i32>(<f64>uint32() / 4294967296.0 * <f64>window);
      const last = min(nodesOfWalk - 1, i + reach);
      for (let j = max(0, i - reach); j <= last; j++) {
        const node = load<u32>(walk + (<usize>j << 2));
        if (j == i || (node == context && centres == contexts)) continue;
        const centre = centres + <usize>node * row;
        let others = rows;
        for (let k = 0; k <= negatives; k++) {
          let other = context;
          if (k > 0) {
            const drawn = <f64>uint32() / 4294967296.0 * <f64>nodes;
            other = <u32>drawn;
            if (probability != 0 && <f32>(drawn - <f64>other) >= load<f32>(probability + (<usize>other << 2))) {
              other = load<u32>(alias + (<usize>other << 2));
            }
            if (other == context || (other == node && centres == contexts)) continue;
          }
          const address = contexts + <usize>other * row;
          const x = max<f32>(-rangeMax, min<f32>(rangeMax, dot(centre, address, row)));
          const place = (x + rangeMax) * stepsPerUnit;
          const step = min(<i32>place, stepLast);
          const part = place - <f32>step;
          const curve = curves + (<usize>step << 3);
          const sigmoid = load<f32>(curve) + part * (load<f32>(curve, 8) - load<f32>(curve));
          const softplus = load<f32>(curve, 4) + part * (load<f32>(curve, 12) - load<f32>(curve, 4));
          store<u32>(others, <u32>address);
          store<f32>(others, walkRate * ((k == 0 ? <f32>1 : <f32>0) - sigmoid), 4);
          loss += k == 0 ? softplus - x : softplus;
          others += 8;
        }
        update(centre, rows, <i32>((others - rows) >> 3), row);
        pairs += 1;
      }
    }
  }
  store<u32>(state, random);
  store<f64>(state, load<f64>(state, 8) + pairs, 8);
  store<f64>(state, load<f64>(state, 16) + loss, 16);
}
