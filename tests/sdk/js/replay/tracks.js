// Tracks of movers: `fixes`, a list of { id, t (ms), lat, lng } in the order in which they arrive, and of how many.

import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync, inflateRawSync } from "node:zlib";
import { distanceM, place } from "./sphere.js";

const repository = new URL("../../../../", import.meta.url);
const shared = new URL("../shared/data/", repository);
const local = (base, path) => fileURLToPath(new URL(path, base));

export const hasShared = existsSync(local(shared, "."));

export function small() {
  const fixes = parse(readFileSync(local(repository, "geo-data/tracks/small.csv"), "utf8"));
  return { fixes, whole: fixes.length };
}

/** The first reports of each mover of a file that lists one mover after the other, merged by time. */
export function merged(path, most) {
  const fixes = parse(gunzipSync(readFileSync(local(shared, path))).toString());
  return { fixes: merge(fixes, most), whole: fixes.length };
}

function parse(text) {
  return lines(text).map(([id, t, lat, lng]) => ({
    id, t: Math.round(Number(t) * 1000), lat: Number(lat), lng: Number(lng),
  }));
}

function lines(text) {
  return text.trim().split(/\r?\n/).slice(1).map((line) => line.split(","));
}

/** Each mover's own order stays, late reports included: they arrive with the latest before them. */
function merge(fixes, most) {
  const seen = new Map();
  const due = [];
  for (const fix of fixes) {
    const { count, latest } = seen.get(fix.id) ?? { count: 0, latest: 0 };
    const at = Math.max(latest, fix.t);
    seen.set(fix.id, { count: count + 1, latest: at });
    if (count < most) due.push({ fix, at });
  }
  return due.sort((one, other) => one.at - other.at).map(({ fix }) => fix);
}

/** Trips of a timetable, each at constant speed along its shape from its first departure. */
export function timetable(path, { trips, positions, everyS, speedMps = 7 }) {
  const files = unzip(readFileSync(local(shared, path)));
  const shapes = new Map();
  for (const [shape, lat, lng] of lines(files("shapes.txt"))) {
    if (!shapes.has(shape)) shapes.set(shape, []);
    shapes.get(shape).push(place(Number(lat), Number(lng)));
  }
  const departures = new Map();
  for (const [trip, , departure] of lines(files("stop_times.txt"))) {
    if (departures.has(trip)) continue;
    const [hours, minutes, seconds] = departure.split(":").map(Number);
    departures.set(trip, hours * 3600 + minutes * 60 + seconds);
  }
  // Headsigns may have commas in quotes; what is needed stands before and behind them.
  const all = lines(files("trips.txt")).map((cells) => ({ id: cells[2], shape: cells.at(-1) }));
  const usable = all.filter(({ id, shape }) => departures.has(id) && shapes.has(shape));
  const fixes = [];
  const count = Math.min(trips, usable.length);
  for (let n = 0; n < count; n += 1) {
    const { id, shape } = usable[Math.floor((n * usable.length) / count)];
    for (const [step, at] of along(shapes.get(shape), everyS * speedMps, positions).entries()) {
      const t = Date.UTC(2019, 9, 21) + (departures.get(id) + step * everyS) * 1000;
      fixes.push({ id, t, lat: at.lat, lng: at.lng });
    }
  }
  return { fixes: merge(fixes, Infinity), whole: `${count} of ${usable.length} trips` };
}

function along(line, stepM, most) {
  const found = [line[0]];
  let left = stepM;
  for (let leg = 1; leg < line.length && found.length < most; leg += 1) {
    const [from, to] = [line[leg - 1], line[leg]];
    const length = distanceM(from, to);
    let gone = 0;
    while (length - gone >= left && found.length < most) {
      gone += left;
      const part = gone / length;
      const between = (a, b) => Number((a + (b - a) * part).toFixed(7));
      found.push(place(between(from.lat, to.lat), between(from.lng, to.lng)));
      left = stepM;
    }
    left -= length - gone;
  }
  return found;
}

/** Texts of a ZIP archive by name, found by its central directory. */
function unzip(bytes) {
  const end = bytes.lastIndexOf(Buffer.from("PK\x05\x06", "latin1"));
  const entries = new Map();
  let at = bytes.readUInt32LE(end + 16);
  for (let left = bytes.readUInt16LE(end + 10); left > 0; left -= 1) {
    const [name, extra, comment] = [28, 30, 32].map((field) => bytes.readUInt16LE(at + field));
    entries.set(bytes.toString("utf8", at + 46, at + 46 + name), at);
    at += 46 + name + extra + comment;
  }
  return (name) => {
    const entry = entries.get(name);
    const header = bytes.readUInt32LE(entry + 42);
    const start = header + 30 + bytes.readUInt16LE(header + 26) + bytes.readUInt16LE(header + 28);
    const packed = bytes.subarray(start, start + bytes.readUInt32LE(entry + 20));
    return (bytes.readUInt16LE(entry + 10) === 0 ? packed : inflateRawSync(packed)).toString();
  };
}
