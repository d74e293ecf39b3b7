// Makes rings of whole numbers simple: no repeated vertex, no edge that meets another one.
// Vertices are [x, y] in thousandths of a degree, so that every test here is exact.

/** Twice the signed area; positive where the ring runs counterclockwise. */
export function doubleArea(ring) {
  let sum = 0;
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
    sum += ring[j][0] * ring[i][1] - ring[i][0] * ring[j][1];
  }
  return sum;
}

function turn(a, b, c) {
  return Math.sign((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]));
}

const same = (a, b) => a[0] === b[0] && a[1] === b[1];

function isBetween(a, b, c) {
  return (
    Math.min(a[0], b[0]) <= c[0] && c[0] <= Math.max(a[0], b[0]) &&
    Math.min(a[1], b[1]) <= c[1] && c[1] <= Math.max(a[1], b[1])
  );
}

/** Whether two edges have a place in common: "none", "touch" (one place), "cross" or "overlap". */
export function contact([a, b], [c, d]) {
  const [toC, toD, toA, toB] = [turn(a, b, c), turn(a, b, d), turn(c, d, a), turn(c, d, b)];
  if (toC === 0 && toD === 0) {
    const ends = [];
    for (const [p, q, r] of [[a, b, c], [a, b, d], [c, d, a], [c, d, b]]) {
      if (isBetween(p, q, r) && !ends.some((end) => same(end, r))) ends.push(r);
    }
    return ["none", "touch"][ends.length] ?? "overlap";
  }
  if (toC * toD < 0 && toA * toB < 0) return "cross";
  return toC * toD <= 0 && toA * toB <= 0 ? "touch" : "none";
}

/** Without vertices that repeat the one before, and without spikes that go out and back. */
function withoutSpikes(ring) {
  const kept = [];
  for (const vertex of ring) {
    kept.push(vertex);
    while (kept.length > 1 && isIdle(kept)) kept.splice(-2, 1);
    if (kept.length > 1 && same(kept.at(-1), kept.at(-2))) kept.pop();
  }
  for (let changed = true; changed && kept.length > 2; ) {
    changed = false;
    for (const [i, j, k] of [[-2, -1, 0], [-1, 0, 1]]) {
      const [a, b, c] = [kept.at(i), kept.at(j), kept.at(k)];
      if (same(a, b) || (turn(a, b, c) === 0 && !strictlyOn(a, c, b))) {
        kept.splice(j, 1);
        changed = true;
        break;
      }
    }
  }
  return kept;
}

function strictlyOn(a, c, b) {
  return isBetween(a, c, b) && !same(a, b) && !same(b, c);
}

function isIdle(kept) {
  if (kept.length < 3) return same(kept.at(-1), kept.at(-2));
  const [a, b, c] = kept.slice(-3);
  return same(a, b) || (turn(a, b, c) === 0 && !strictlyOn(a, c, b));
}

/** The loops into which a ring falls where it comes back to a vertex. */
function loops(ring) {
  const found = [];
  const stack = [];
  const seen = new Map();
  for (const vertex of ring) {
    const key = `${vertex}`;
    if (seen.has(key)) {
      const loop = stack.splice(seen.get(key));
      for (const gone of loop) seen.delete(`${gone}`);
      found.push(loop);
    }
    seen.set(key, stack.length);
    stack.push(vertex);
  }
  found.push(stack);
  return found;
}

/** Pairs of edges, by the index of their first vertex, that meet though they are no neighbours. */
export function* meetings(ring) {
  const edges = ring.map((a, i) => {
    const b = ring[(i + 1) % ring.length];
    return { i, edge: [a, b], west: Math.min(a[0], b[0]), east: Math.max(a[0], b[0]) };
  });
  edges.sort((one, other) => one.west - other.west);
  for (let p = 0; p < edges.length; p++) {
    for (let q = p + 1; q < edges.length && edges[q].west <= edges[p].east; q++) {
      const [one, other] = [edges[p], edges[q]];
      const apart = Math.abs(one.i - other.i);
      const found = contact(one.edge, other.edge);
      const neighbours = apart === 1 || apart === ring.length - 1;
      if (found !== "none" && !(neighbours && found === "touch")) yield [one.i, other.i];
    }
  }
}

/** Of the four ends of two edges that meet, the vertex whose loss moves the ring least. */
function leastVertex(ring, [i, j]) {
  const n = ring.length;
  const cost = (k) => Math.abs(doubleArea([ring[(k + n - 1) % n], ring[k], ring[(k + 1) % n]]));
  const ends = [i, (i + 1) % n, j, (j + 1) % n];
  return ends.reduce((best, k) => (cost(k) < cost(best) ? k : best));
}

/**
 * The simple rings of one that may not be, each of at least twice `least` in area and turning as
 * the given one does, the largest first.
 */
export function simpleRings(ring, least) {
  const sense = Math.sign(doubleArea(ring));
  const done = [];
  const open = [ring];
  while (open.length > 0) {
    const cleaned = withoutSpikes(open.pop());
    const parts = loops(cleaned);
    if (parts.length > 1) {
      open.push(...parts);
      continue;
    }
    if (cleaned.length < 3 || doubleArea(cleaned) * sense < least) continue;
    const { value: met } = meetings(cleaned).next();
    if (met) {
      cleaned.splice(leastVertex(cleaned, met), 1);
      open.push(cleaned);
    } else {
      done.push(cleaned);
    }
  }
  return done.sort((one, other) => Math.abs(doubleArea(other)) - Math.abs(doubleArea(one)));
}

/** "inside", "edge" or "outside". */
export function side(ring, [x, y]) {
  let inside = false;
  for (let i = 0, j = ring.length - 1; i < ring.length; j = i++) {
    const [a, b] = [ring[j], ring[i]];
    if (turn(a, b, [x, y]) === 0 && isBetween(a, b, [x, y])) return "edge";
    if (a[1] > y !== b[1] > y) {
      const t = turn(a, b, [x, y]);
      if (b[1] > a[1] ? t > 0 : t < 0) inside = !inside;
    }
  }
  return inside ? "inside" : "outside";
}

/** Whether a hole lies in its shell, meeting it in single places at most. */
export function isHoleOf(hole, shell) {
  if (hole.some((vertex) => side(shell, vertex) === "outside")) return false;
  const edges = (ring) => ring.map((a, i) => [a, ring[(i + 1) % ring.length]]);
  const theirs = edges(shell);
  return edges(hole).every((ours) =>
    theirs.every((other) => !["cross", "overlap"].includes(contact(ours, other))),
  );
}
