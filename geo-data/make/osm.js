// Reads nodes and ways of an OpenStreetMap extract in its binary format (.osm.pbf).

import { inflateSync } from "node:zlib";

import Pbf from "pbf";

function fields(bytes, see) {
  new Pbf(bytes).readFields((tag, _, pbf) => see(tag, pbf), null);
}

function block(bytes) {
  const found = { strings: [], groups: [], granularity: 100, latOffset: 0, lngOffset: 0 };
  fields(bytes, (tag, pbf) => {
    if (tag === 1) fields(pbf.readBytes(), (_, table) => found.strings.push(table.readString()));
    else if (tag === 2) found.groups.push(pbf.readBytes());
    else if (tag === 17) found.granularity = pbf.readVarint();
    else if (tag === 19) found.latOffset = pbf.readVarint(true);
    else if (tag === 20) found.lngOffset = pbf.readVarint(true);
  });
  return found;
}

/** Signed packed numbers, each the difference to the one before. */
function deltas(pbf) {
  let sum = 0;
  return pbf.readPackedSVarint().map((step) => (sum += step));
}

function denseNodes(bytes, { granularity, latOffset, lngOffset }, nodes) {
  let [ids, lats, lngs] = [[], [], []];
  fields(bytes, (tag, pbf) => {
    if (tag === 1) ids = deltas(pbf);
    else if (tag === 8) lats = deltas(pbf);
    else if (tag === 9) lngs = deltas(pbf);
  });
  const degrees = (value, offset) => (offset + granularity * value) / 1e9;
  ids.forEach((id, i) => nodes.set(id, [degrees(lngs[i], lngOffset), degrees(lats[i], latOffset)]));
}

function way(bytes, strings) {
  let [keys, values, refs] = [[], [], []];
  fields(bytes, (tag, pbf) => {
    if (tag === 2) keys = pbf.readPackedVarint();
    else if (tag === 3) values = pbf.readPackedVarint();
    else if (tag === 8) refs = deltas(pbf);
  });
  return { tags: Object.fromEntries(keys.map((k, i) => [strings[k], strings[values[i]]])), refs };
}

/** `nodes`: id to [lng, lat]; `ways`: `tags` and the ids of their nodes, `refs`. */
export function readExtract(file) {
  const [nodes, ways] = [new Map(), []];
  for (let at = 0; at < file.length; ) {
    const headerEnd = at + 4 + file.readUInt32BE(at);
    let [type, size, raw] = ["", 0, null];
    fields(file.subarray(at + 4, headerEnd), (tag, pbf) => {
      if (tag === 1) type = pbf.readString();
      else if (tag === 3) size = pbf.readVarint();
    });
    at = headerEnd + size;
    if (type !== "OSMData") continue;
    fields(file.subarray(headerEnd, at), (tag, pbf) => {
      if (tag === 1) raw = pbf.readBytes();
      else if (tag === 3) raw = inflateSync(pbf.readBytes());
    });
    const of = block(raw);
    for (const group of of.groups) {
      fields(group, (tag, pbf) => {
        if (tag === 2) denseNodes(pbf.readBytes(), of, nodes);
        else if (tag === 3) ways.push(way(pbf.readBytes(), of.strings));
      });
    }
  }
  return { nodes, ways };
}
