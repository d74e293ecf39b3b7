// Areas of subscriptions as clients ask for them, each with its own test of whether it has a place.

import { gridDisk, latLngToCell } from "h3-js";
import {
  Doubt, distanceM, distanceOfArcsM, distanceToArcM, farthestM, isWithin, normalLng, place, sideOf, travel, unwrapped,
} from "./sphere.js";

const everywhere = { center: place(0, 0), radius: farthestM };

export function circle(center, radius) {
  const { lat, lng } = center;
  return {
    kind: "circle",
    data: { near: { lat, lng, radius_m: radius } },
    has: (at) => isWithin(distanceM(center, at), radius),
    isNear: (at, metres) => isWithin(distanceM(center, at), radius + metres),
    isMet: (from, to) => isWithin(distanceToArcM(center, from, to), radius),
    cap: { center, radius },
  };
}

/** The same, said by the label of the channel. */
export function circleByLabel(center, radius) {
  const label = `near:${center.lat},${center.lng},${radius}`;
  return { ...circle(center, radius), kind: "label", data: undefined, label };
}

export function bbox(west, south, east, north) {
  const isAcross = west > east;
  const hasLng = (lng) => (isAcross ? lng >= west || lng <= east : lng >= west && lng <= east);
  const end = isAcross ? east + 360 : east;
  const corners = [[west, south], [end, south], [west, north], [end, north]];
  return {
    kind: "bbox",
    data: { bbox: { west, south, east, north } },
    has: ({ lat, lng }) =>
      lat >= south && lat <= north &&
      (hasLng(lng) || (Math.abs(lng) === 180 && hasLng(-lng)) || Math.abs(lat) === 90),
    cap: capOf(corners),
  };
}

/** One shell and its holes, rings of [lng, lat]. A hole's edge belongs to the polygon. */
export function polygon(shell, ...holes) {
  const [outer, ...inner] = [shell, ...holes].map(unwrapped);
  const closed = [shell, ...holes].map((ring) => [...ring, ring[0]]);
  return {
    kind: holes.length > 0 ? "polygon with holes" : "polygon",
    data: { geometry: { type: "Polygon", coordinates: closed } },
    has: (at) => sideOf(outer, at) !== "out" && inner.every((hole) => sideOf(hole, at) !== "in"),
    cap: outer.some(([, lat]) => Math.abs(lat) === 90) ? everywhere : capOf(outer),
  };
}

/** Shells with their holes, apart from one another. */
export function multiPolygon(polygons) {
  const parts = polygons.map((rings) => polygon(...rings));
  const caps = parts.map(({ cap }) => cap);
  const { center } = caps[0];
  return {
    kind: "multipolygon",
    data: { geometry: { type: "MultiPolygon", coordinates: parts.map(({ data }) => data.geometry.coordinates) } },
    has: (at) => parts.some((part) => part.has(at)),
    cap: { center, radius: Math.max(...caps.map((cap) => distanceM(center, cap.center) + cap.radius)) },
  };
}

/** Some of the H3 cells round a place. */
export function cells(center, resolution, isChosen) {
  const chosen = new Set(gridDisk(latLngToCell(center.lat, center.lng, resolution), 3).filter(isChosen));
  return {
    kind: "cells",
    data: { cells: [...chosen] },
    has: ({ lat, lng }) => chosen.has(latLngToCell(lat, lng, resolution)),
  };
}

/** The same area for a client that keeps a map of what is in it. */
export const asMap = (area) => ({ ...area, kind: `map of ${area.kind}`, isMap: true });

/** The same area for a client that wants transitions alone; without `hysteresis` that is what the node has by default. */
export function detecting(area, detect, hysteresis) {
  return {
    ...area,
    kind: `${area.kind}, ${hysteresis === 0 ? "detect" : "detect with hysteresis"}`,
    detect,
    hysteresis: hysteresis ?? 20,
    data: { ...area.data, detect, ...(hysteresis === undefined ? {} : { hysteresis_m: hysteresis }) },
  };
}

/** The same area for a client that wants to be told so many times a second at most. */
export const conflated = (area, hz) => ({ ...area, kind: `${area.kind}, max_hz`, hz, data: { ...area.data, max_hz: hz } });

/** Of what has a place there, only what a filter of tags lets through, told with the area or as the SDK does it. */
export function filtered(area, random) {
  const [one, other] = [random.below(lines), random.below(shifts)].map(String);
  const [filter, wants] = [
    [{ key: "line", cmp: "eq", val: one }, ({ line }) => line === one],
    [{ key: "line", cmp: "neq", val: one }, ({ line }) => line !== one],
    [{ key: "shift", cmp: "in", vals: [other, "0"] }, ({ shift }) => shift === other || shift === "0"],
    [
      { op: "and", nodes: [{ key: "line", cmp: "gte", val: one }, { op: "not", nodes: [{ key: "shift", cmp: "eq", val: other }] }] },
      ({ line, shift }) => Number(line) >= Number(one) && shift !== other,
    ],
  ][random.below(4)];
  const isBySdk = random.below(2) === 0;
  return {
    ...area,
    kind: `${area.kind}, ${isBySdk ? "tf" : "where"}`,
    wants,
    ...(isBySdk ? { tagsFilter: filter } : { data: { ...area.data, where: filter } }),
  };
}

const [lines, shifts] = [5, 3];
/** Tags of the reports of a track: one stays with its mover, the other changes every now and then. */
export function tagsOf({ id }, index) {
  const sum = [...id].reduce((sum, letter) => sum + letter.charCodeAt(0), 0);
  return { line: String(sum % lines), shift: String(Math.floor(index / 97) % shifts) };
}

/** Everything at most half the width from a line of [lng, lat]. */
export function route(line, width) {
  const places = line.map(([lng, lat]) => place(lat, lng));
  const legs = places.slice(1).map((to, n) => [places[n], to]);
  const nearest = (distance) => Math.min(...legs.map(distance));
  const isNear = (at, metres) => isWithin(nearest(([from, to]) => distanceToArcM(at, from, to)), width / 2 + metres);
  return {
    kind: "route",
    data: { route: { type: "LineString", coordinates: line }, width_m: width },
    has: (at) => isNear(at, 0),
    isNear,
    isMet: (from, to) => isWithin(nearest((leg) => distanceOfArcsM(leg, [from, to])), width / 2),
    cap: widened(capOf(line), width),
  };
}

export const zone = (name, area) => ({ ...area, kind: "zone", data: { zone: name }, zone: name });
export const zoneByLabel = (name, area) => ({ ...zone(name, area), data: undefined, label: `zone:${name}` });

export const followMe = (radius) => ({ kind: "follow me", data: { follow: "me", radius_m: radius }, radius });
export const followObject = (channel, key, radius) => ({
  kind: "follow object", data: { follow: { channel, key }, radius_m: radius }, key, radius,
});
export const nearest = (k, to, within) => ({
  kind: "nearest",
  data: { nearest: k, to: { lat: to.lat, lng: to.lng }, ...(within ? { within_m: within } : {}) },
  k, to, within: within ?? Infinity,
});

/** A circle that surely holds the shape with these corners, or everything where that is hard to say. */
function capOf(corners) {
  const lngs = corners.map(([lng]) => lng);
  const lats = corners.map(([, lat]) => lat);
  const middle = (values) => (Math.min(...values) + Math.max(...values)) / 2;
  if (Math.max(...lngs) - Math.min(...lngs) > 90 || Math.max(...lats.map(Math.abs)) > 80) return everywhere;
  const center = place(middle(lats), normalLng(middle(lngs)));
  const bounds = [Math.min(...lngs), middle(lngs), Math.max(...lngs)].flatMap((lng) =>
    [Math.min(...lats), middle(lats), Math.max(...lats)].map((lat) => place(lat, lng)));
  return { center, radius: Math.max(...bounds.map((at) => distanceM(center, at))) * 1.1 + 1000 };
}

const widened = ({ center, radius }, by) => ({ center, radius: radius + by });

/** Whether the area has each of the places, or nothing where one of them lies on its edge but for rounding. */
export function insides(area, places) {
  const inside = new Uint8Array(places.length);
  try {
    places.forEach((at, index) => (inside[index] = area.has(at) ? 1 : 0));
  } catch (error) {
    if (error instanceof Doubt) return undefined;
    throw error;
  }
  return inside;
}

/** Areas of many kinds and sizes at the places of tracks, from 50 m to as far as `reach` metres. */
export function* areasAmong(places, random, reach) {
  const real = (low, high) => low + (high - low) * (random.below(1 << 30) / (1 << 30));
  const size = () => 50 * (reach / 50) ** real(0, 1);
  const some = () => places[random.below(places.length)];
  const near = () => travel(some(), size() * real(0, 1), real(0, 360));
  const ring = (center, radius, corners) =>
    Array.from({ length: corners }, (_, n) => {
      const { lat, lng } = travel(center, radius * (0.5 + 0.5 * ((n * 7919) % 13) / 13), (n * 360) / corners);
      return [lng, lat];
    });
  const kinds = [
    () => circle(near(), size()),
    () => circle(some(), size()),
    () => circleByLabel(near(), size()),
    () => polygon(ring(low(near()), size(), 3 + random.below(40))),
    () => {
      const [center, radius] = [low(near()), size()];
      const corners = 5 + random.below(20);
      return polygon(ring(center, radius, corners), ring(center, radius / 3, corners));
    },
    () => {
      const [one, other] = [some(), near()];
      const [west, east] = [one.lng, other.lng].sort((a, b) => a - b);
      const [south, north] = [one.lat, other.lat].sort((a, b) => a - b);
      const isAcross = east - west > 180;
      return isAcross ? bbox(east, south, west, north) : bbox(west, south, east, north);
    },
    () => {
      const line = [some(), near(), near()].map(({ lat, lng }) => [lng, lat]);
      return route(line, Math.min(size(), 400_000));
    },
    () => {
      const resolution = [4, 5, 6, 7, 8, 9].find((_, n) => size() > reach / 2 ** n) ?? 9;
      return cells(some(), resolution, () => random.below(3) > 0);
    },
    () => {
      const [center, radius] = [low(near()), size()];
      const part = (center, corners) => [ring(center, radius, corners), ring(center, radius / 3, corners)];
      const lng = normalLng(center.lng + (center.lng > 0 ? -1 : 1) * 5 * degreesOf(radius, center.lat));
      return multiPolygon([part(center, 5 + random.below(9)), part(place(center.lat, lng), 5 + random.below(9))]);
    },
  ];
  for (let turn = 0; ; turn += 1) yield kinds[turn % kinds.length]();
}

/** So many metres along a parallel. */
const degreesOf = (metres, lat) => metres / (111_195 * Math.cos((lat * Math.PI) / 180));

/** Away from the poles, where rings in longitude and latitude would cross themselves. */
const low = ({ lat, lng }) => place(Math.max(-70, Math.min(70, lat)), lng);

/** Where longitudes and latitudes are hard: round both poles, along and over the antimeridian, all of the Earth. */
export function hardAreas() {
  const parallel = (lat, step) => Array.from({ length: Math.floor(360 / step) }, (_, n) => [-180 + n * step, lat]);
  const zigzag = (lat) => parallel(lat, 15).map(([lng], n) => [lng, lat + (n % 2) * 0.7]);
  return [
    circle(place(90, 0), 223_456.7), circle(place(90, 123), 50_000), circle(place(-90, 0), 187_654.3),
    circle(place(89.3, -150), 120_000), circle(place(-89.6, 10), 70_000),
    circle(place(-18.03, 180), 17_000), circle(place(-18.03, -180), 3_333), circle(place(-15.8, 179.9), 250_000),
    circle(place(0, 0), 30_000_000), circle(place(0, 0), 10_007_543.3), circle(place(10, 10), 20_000_000),
    circleByLabel(place(-18, 179.99), 12_345), circleByLabel(place(90, 0), 99_999),
    bbox(179.9, -19, -179.9, -17), bbox(170, -90, -170, 90), bbox(-180, 85, 180, 90), bbox(-180, -90, 180, -88.5),
    bbox(-180, -90, 180, 90), bbox(179.99, -20, 180, -10), bbox(-180, -20, -179.99, -10), bbox(0, -90, 180, 90),
    bbox(-180, -90, 0, 90), bbox(20, -90, 15, 90),
    polygon(zigzag(86.1)), polygon(zigzag(-87.3)),
    polygon(zigzag(84), zigzag(88.6)), polygon(zigzag(-85), zigzag(-88.9)),
    polygon([[179, -19], [-179, -19.2], [-178.7, -16.9], [178.9, -17]]),
    polygon(
      [[178, -20], [-178, -20.1], [-178.2, -15.9], [178.1, -16]],
      [[179.7, -18.3], [-179.8, -18.4], [-179.9, -17.9], [179.8, -17.8]],
    ),
    polygon([[179.9, -19], [180, -19], [180, -17], [179.95, -17]]),
    route([[30, 88], [-150, 88]], 60_000), route([[10, -87], [-170, -89]], 33_333),
    route([[179, -18], [-179, -18.1]], 5_000), route([[-100, 85], [80, 86]], 222_222),
    route([[178, -17], [179.9, -18.03], [-179.9, -18.03], [-178, -19]], 2_500),
  ];
}
