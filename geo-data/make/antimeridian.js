// Cuts rings that go over the antimeridian or round a pole, so that none of the parts does.
// Vertices are [x, y] in thousandths of a degree.

const HALF = 180_000;
const TURN = 360_000;
const POLE = 90_000;

/** The vertices with whole turns added, so that no edge jumps; the first is again the last. */
function unrolled(ring) {
  const line = [[...ring[0]]];
  for (const [x, y] of [...ring.slice(1), ring[0]]) {
    const before = line.at(-1)[0];
    line.push([x - TURN * Math.round((x - before) / TURN), y]);
  }
  return line;
}

/** Where an edge passes a meridian, rounded. */
function at(meridian, a, b) {
  return [meridian, Math.round(a[1] + ((b[1] - a[1]) * (meridian - a[0])) / (b[0] - a[0])) + 0];
}

/** The part of a ring on one side of a meridian; `sense` is 1 for east and -1 for west. */
function clipped(ring, meridian, sense) {
  const kept = [];
  ring.forEach((b, i) => {
    const a = ring.at(i - 1);
    const [before, here] = [(a[0] - meridian) * sense, (b[0] - meridian) * sense];
    if (before * here < 0) kept.push(at(meridian, a, b));
    if (here >= 0) kept.push(b);
  });
  return kept;
}

/** From antimeridian to antimeridian, and back along the nearer pole. */
function closedOverPole(line) {
  const i = line.findIndex(([x], k) => k > 0 && Math.abs(x) >= HALF && line[k - 1][0] !== x);
  const [before, after] = [line[i - 1], line[i]];
  const edge = Math.sign(after[0]) * HALF;
  const turned = edge - Math.sign(edge) * TURN;
  const shifted = line.slice(i, -1).map(([x, y]) => [x - Math.sign(edge) * TURN, y]);
  const crossing = at(edge, before, after);
  const round = [...shifted, ...line.slice(0, i), crossing];
  if (round[0][0] !== turned) round.unshift([turned, crossing[1]]);
  if (round.some(([x]) => Math.abs(x) > HALF)) throw new Error("a ring winds round a pole twice");
  const pole = Math.sign(crossing[1]) * POLE;
  // No edge of more than half a turn: such an edge could be meant to go the other way.
  const steps = [1, 0.5, 0, -0.5, -1].map((share) => [edge * share + 0, pole]);
  return [...round, ...steps];
}

/** The parts of an open ring of which none goes over the antimeridian. */
export function cutAtAntimeridian(ring) {
  const line = unrolled(ring);
  if (line[0][0] !== line.at(-1)[0]) return [closedOverPole(line)];
  const open = line.slice(0, -1);
  const xs = open.map(([x]) => x);
  const [west, east] = [Math.min(...xs), Math.max(...xs)];
  const meridian = east > HALF ? HALF : west < -HALF ? -HALF : null;
  if (meridian === null) return [open];
  return [-1, 1].map((sense) => {
    const outside = sense === Math.sign(meridian);
    const shift = outside ? -Math.sign(meridian) * TURN : 0;
    return clipped(open, meridian, sense).map(([x, y]) => [x + shift, y]);
  });
}

/** Whether a ring is only the mark that some sources leave round the pole itself. */
export function isPoleMark(ring) {
  return ring.every(([, y]) => Math.abs(y) >= POLE - 2);
}
