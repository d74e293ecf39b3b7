// Fixes of objects, and what every view is told of them.

import assert from "node:assert/strict";
import { unique } from "../support.js";
import { tagsOf } from "./areas.js";
import { call, count, counted, crowd, inOrder, Listener, settled } from "./crowd.js";
import { ObjectsOracle, View } from "./objects_oracle.js";
import { ownersOf } from "./owners.js";
import { conflatedOf, connections, fencesOf, fixedAreas, followers, mapsOf, nearestOf, zonesOver } from "./plan.js";

const batchSize = 200;
const waitMs = 20_000;
/** Objects in a subscribe reply; what is more comes later, and may be joined with what happens meanwhile. */
const snapshotPage = 200;
const shownMax = 20;
const ownersMost = 6;
/** Areas that get another place in the middle of a batch. */
const movedMost = 6;
/** Beyond the pause that a client asked for, on a busy machine. */
const lateMs = 3_000;

export async function replayObjects(t, server, { fixes, whole, places, random, reach, isHard }) {
  const began = Date.now();
  const replay = new ObjectReplay(server, { fixes, places, random });
  await replay.prepare(t, { reach, isHard });
  const batches = Math.ceil(fixes.length / batchSize);
  for (let batch = 0; batch < batches; batch += 1) await replay.run(batch, batches);
  const { kinds, deliveries, byState, cut, late, moved, unplanned, faults } = replay.compare();
  for (const fault of faults.slice(0, shownMax)) t.diagnostic(fault);
  t.diagnostic(
    `${fixes.length} fixes of ${whole}, ${replay.byOwners} by their owners, ${replay.oracle.accepted} accepted, ${replay.pairs.length} subscriptions on ` +
    `${connections} connections (${late} in a burst, ${moved} more after their areas were moved, ${cut} cut, ${unplanned} of them by a ping that came too late, ` +
    `${byState} by state alone), ` +
    `${deliveries} deliveries compared, ${((Date.now() - began) / 1000).toFixed(1)} s`,
  );
  t.diagnostic(counted(kinds));
  assert.equal(faults.length, 0, `${faults.length} differences, the first: ${faults[0]}`);
  assert.ok(![...kinds.values()].includes(0), "a kind of area was told nothing");
  assert.ok(replay.pairs.length >= 300 && cut > 0 && late > 0 && moved > 0 && replay.byOwners > 0);
}

class ObjectReplay {
  pairs = [];
  faults = [];
  byOwners = 0;
  #zones = [];

  constructor(server, { fixes, places, random }) {
    Object.assign(this, { server, fixes, places, random });
    this.channel = unique("fleet:");
    this.oracle = new ObjectsOracle(fixes, places);
  }

  async prepare(t, { reach, isHard }) {
    const { fixes, places, random } = this;
    this.ids = [...new Set(fixes.map(({ id }) => id))];
    const fixed = await fixedAreas(places, random, { count: 290, reach, isHard });
    this.#zones = zonesOver(fixed, unique("zones"));
    for (const { area, first } of this.#zones) {
      await this.server.api("zone_set", { name: area.zone, area: first.area.data });
    }
    const following = followers(this.ids, this.channel, random, reach);
    const wanted = [...fixed, ...mapsOf(fixed), ...fencesOf(fixed), ...conflatedOf(fixed), ...this.#zones, ...following, ...nearestOf(places, random, reach, isHard)];
    const people = await crowd(t, this.server, connections);
    const whole = people.filter(({ proxy }) => !proxy);
    const labels = new Map();
    wanted.forEach(({ area, inside }, n) => {
      const some = area.kind.startsWith("follow") || area.detect ? whole : people;
      const person = some[n % some.length];
      const label = area.label ?? `a${n}`;
      if (labels.get(label)?.has(person)) return;
      labels.set(label, (labels.get(label) ?? new Set()).add(person));
      const view = new View(area, inside, this.ids.length);
      const listener = new Listener(person, `${this.channel}@${label}`, area);
      // A third comes later, and those whose connections are cut are there before.
      const isLate = random.below(3) === 0 && !person.proxy;
      const joins = isLate ? 1 + random.below(Math.ceil(fixes.length / batchSize / 2)) : 0;
      const pair = { view, listener, joins };
      person.listeners.push(pair);
      this.pairs.push(pair);
    });
    this.people = people;
    const spares = await fixedAreas(places, random, { count: 60, reach });
    this.spares = spares.filter(({ area }) => area.data && !area.wants);
    // Every so many of the movers say themselves where they are.
    const owning = this.ids.filter((_, n) => n % Math.ceil(this.ids.length / ownersMost) === 0);
    this.owners = await ownersOf(t, this.server, this.channel, owning);
    this.oracle.views = this.pairs.map(({ view }) => view);
  }

  async run(batch, batches) {
    const joining = this.pairs.filter(({ joins }) => joins === batch);
    // In the burst come those whose snapshot is one page, so that nothing of it is joined with what follows.
    const late = joining.filter(({ view }) =>
      batch > 0 && !view.area.hz && view.area.kind !== "follow object" && !view.area.detect && this.oracle.state(view).size < snapshotPage / 2);
    const calm = joining.filter((pair) => !late.includes(pair));
    for (const pair of calm) {
      this.oracle.begin(pair.view);
      pair.start = pair.firstStart = 0;
      pair.began = Date.now();
      pair.segments = 1;
      pair.listener.subscribe();
    }
    await this.#settle(`subscriptions before batch ${batch}`);

    const first = batch * batchSize;
    const end = Math.min(this.fixes.length, first + batchSize);
    const sent = this.#send(first, end);
    const unsure = [...late];
    for (const pair of late) {
      this.oracle.begin(pair.view);
      pair.isLate = true;
      pair.segments = 1;
      pair.listener.subscribe();
    }
    const leaving = this.people.filter(({ proxy }, n) => proxy && batch > 0 && batch === (n / 6) % batches);
    const moved = this.#moveAreas(batch, leaving);
    for (const person of leaving) {
      await new Promise((resolve) => setTimeout(resolve, this.random.below(8)));
      unsure.push(...this.#cut(person));
    }
    for (const pair of unsure) pair.earliest = pair.view.told.length;
    await sent;
    for (let index = first; index < end; index += 1) this.oracle.apply(index);
    for (const pair of [...unsure, ...moved]) pair.latest = pair.view.told.length;
    await this.#settle(`batch ${batch}`);
    for (const { before } of moved) this.oracle.remove(before.view);
    await this.#between(batch, batches, end);
  }

  /** The fixes of a batch in their order, each by its owner if it has one. */
  async #send(first, end) {
    let commands = [];
    const flush = async () => {
      if (commands.length > 0) await inOrder(this.server, commands);
      commands = [];
    };
    for (let index = first; index < end; index += 1) {
      const { id, t, lat, lng } = this.fixes[index];
      const fix = { lat, lng, time_ms: t, data: { n: index }, tags: tagsOf({ id }, index) };
      const owner = this.owners.get(id);
      if (!owner) {
        commands.push({ geo_set: { channel: this.channel, key: id, ...fix } });
        continue;
      }
      await flush();
      await owner(fix);
      this.byOwners += 1;
    }
    await flush();
  }

  /** Gives some subscriptions another area while fixes come; the view of that begins anew. */
  #moveAreas(batch, leaving) {
    if (batch % 2 === 0) return [];
    const plain = ({ detect, hz, isMap, kind, label, zone }) =>
      !detect && !hz && !isMap && !label && !zone && !/^(follow|nearest)/.test(kind);
    const able = this.pairs.filter((pair) =>
      plain(pair.view.area) && pair.view.told && pair.start !== undefined && !pair.isClosed &&
      !leaving.includes(pair.listener.person) && this.oracle.state(pair.view).size < snapshotPage / 2);
    const chosen = Array.from({ length: Math.min(movedMost, able.length) }, () =>
      able.splice(this.random.below(able.length), 1)[0]);
    return chosen.map((pair) => {
      const { area, inside } = this.spares[this.random.below(this.spares.length)];
      const { wants } = pair.view.area;
      const view = new View({ ...area, kind: `${area.kind}, moved`, wants }, inside, this.ids.length);
      this.oracle.add(view);
      const listener = pair.listener.move(area.data, (heard, moved) => this.#afterMove(heard, moved));
      listener.answer.catch((error) => this.faults.push(`geo.move: ${error.code} ${error.message}`));
      const next = { view, listener, joins: 0, segments: 1, isMoved: true, earliest: 0, before: pair };
      pair.isClosed = true;
      const { listeners } = listener.person;
      listeners.splice(listeners.indexOf(pair), 1, next);
      this.pairs.push(next);
      return next;
    });
  }

  /** What a client knows once the answer is applied to what it heard. */
  #afterMove(heard, { objects, added, removed }) {
    const { snapshot, changes } = parts(heard.last);
    const state = after(snapshot, changes);
    for (const key of removed) if (!state.delete(key)) this.faults.push(`geo.move took away ${key}, which was not there`);
    for (const key of added) if (state.has(key)) this.faults.push(`geo.move brought ${key}, which was there`);
    for (const { key, data } of objects) state.set(key, data.n);
    const known = [...state].sort(([one], [other]) => (one < other ? -1 : 1));
    return { data: { objects: known.map(([, fix]) => this.#shown(fix)) } };
  }

  #cut(person) {
    for (const pair of person.listeners) {
      pair.start = pair.size = undefined;
      pair.segments = 2;
      pair.isCut = true;
    }
    person.proxy.cut();
    return person.listeners;
  }

  /** Moves those who follow themselves, and once the zones. */
  async #between(batch, batches, end) {
    if (batch % 3 === 1) {
      for (const person of this.people) {
        const own = person.listeners.filter(({ view, joins }) => view.area.kind === "follow me" && joins <= batch);
        if (own.length === 0) continue;
        const to = this.places[this.random.below(end)];
        await call(person, "geo.position", { lat: to.lat, lng: to.lng });
        for (const { view } of own) this.oracle.shift(view, to);
      }
    }
    if (batch === Math.floor(batches / 2)) {
      for (const { area, later } of this.#zones) {
        await this.server.api("zone_set", { name: area.zone, area: later.area.data });
        for (const { view } of this.pairs.filter(({ view }) => view.area.zone === area.zone)) {
          this.oracle.shift(view, undefined, later.inside);
        }
      }
    }
    await this.#settle(`areas that moved after batch ${batch}`);
  }

  /** Waits until everyone has heard as much as there is to be told. */
  async #settle(when) {
    const all = this.pairs.filter(({ view, isClosed }) => view.told && !isClosed);
    const [slow, prompt] = [true, false].map((isSlow) => all.filter(({ view }) => (view.area.hz > 0) === isSlow));
    const open = await settled(prompt, (pair) => this.#isEven(pair), waitMs);
    open.push(...await settled(slow, (pair) => this.#isEven(pair), 1000 / 5 + lateMs));
    if (open.length === 0) return;
    const { faults } = this.compare();
    const stuck = open.slice(0, 5).map(({ view, listener }) =>
      `${listener.channel} (${JSON.stringify(view.area.data ?? view.area.label).slice(0, 300)}) heard ` +
      `${listener.last?.told.length} in ${listener.segments.length} segments of ${view.told.length}; ` +
      `${listener.failed}`);
    assert.fail(`${when}: ${open.length} were not told all:\n${[...stuck, ...faults.slice(0, shownMax)].join("\n")}`);
  }

  #isEven(pair) {
    const { view, listener } = pair;
    if (listener.segments.length > pair.segments) this.#noticeEnd(pair);
    if (pair.isLost) return true;
    if (listener.segments.length < pair.segments) return false;
    const { snapshot, changes } = parts(listener.last);
    if (view.area.hz) return sameState(after(snapshot, changes), this.oracle.state(view));
    if (pair.start !== undefined) {
      // Something that came and went again may still have been on its way.
      const start = Math.min(pair.start, view.told.length - changes.length);
      if (pair.firstStart === pair.start) pair.firstStart = start;
      pair.start = start;
      return snapshot.length === this.#sizeAtStart(pair) && changes.length >= view.told.length - pair.start;
    }
    if (!sameState(after(snapshot, changes), this.oracle.state(view))) return false;
    pair.start = view.told.length - changes.length;
    pair.firstStart ??= pair.start;
    return true;
  }

  /** This process was busy for too long: its client came back by itself. */
  #noticeEnd(pair) {
    const { listener } = pair;
    const end = listener.person.ends.at(-1);
    assert.ok(/^(2|3012) /.test(end), `${listener.channel} ended by itself: ${end}`);
    pair.segments = listener.segments.length;
    pair.start = pair.size = undefined;
    pair.isCut = pair.isUnplanned = true;
    // What it remembered is lost with it, and nobody knows when.
    pair.isLost = pair.view.area.detect !== undefined;
  }

  #sizeAtStart(pair) {
    pair.size ??= pair.isLate || pair.isMoved || pair.isCut ? parts(pair.listener.last).snapshot.length : pair.view.before.size;
    return pair.size;
  }

  /** An old area must end in the turn in which the new one begins. */
  #compareTurns({ before, view, firstStart }, fault) {
    const between = ({ told }, heard) => [told[heard - 1]?.fix ?? -1, (told[heard]?.fix ?? Infinity) - 1];
    const heard = before.start + parts(before.listener.last).changes.length;
    const [one, other] = [between(before.view, heard), between(view, firstStart)];
    if (Math.max(one[0], other[0]) > Math.min(one[1], other[1])) fault(`begins at ${other}, and what was before it ended at ${one}`);
  }

  compare() {
    const kinds = new Map();
    const found = { kinds, deliveries: 0, byState: 0, cut: 0, late: 0, moved: 0, unplanned: 0, faults: [...this.faults] };
    for (const pair of this.pairs) {
      found.cut += pair.isCut ? 1 : 0;
      found.late += pair.isLate ? 1 : 0;
      found.moved += pair.isMoved ? 1 : 0;
      found.unplanned += pair.isUnplanned ? 1 : 0;
      const { view, listener } = pair;
      const fault = (what) => {
        const area = JSON.stringify(view.area.data ?? view.area.label).slice(0, 400);
        found.faults.push(`${view.area.kind} ${area} @ ${listener.channel}: ${what}`);
      };
      for (const failure of listener.failed) fault(failure);
      if (pair.isMoved && pair.firstStart !== undefined) this.#compareTurns(pair, fault);
      listener.segments.forEach((segment, n) => {
        const isLast = n === listener.segments.length - 1;
        const isFirst = n === 0 && (!isLast || (!pair.isLate && !pair.isMoved));
        // Nobody knows where one in the middle begins.
        if (n > 0 && (!isLast || pair.isLost)) return;
        const { snapshot, changes } = parts(segment);
        const start = isFirst ? pair.firstStart : pair.isClosed ? pair.start : view.told.length - changes.length;
        found.deliveries += snapshot.length + changes.length;
        count(kinds, view.area.kind, snapshot.length + changes.length);
        if (view.area.detect) for (const { event } of changes) count(kinds, `detect ${event}`, 1);
        if (view.area.hz) return this.#compareConflated(pair, { snapshot, changes }, isLast, fault);
        const state = new Map(view.before);
        for (const { event, fix } of view.told.slice(0, Math.max(0, start))) {
          advance(state, event, this.fixes[fix].id, fix);
        }
        if (!isFirst && snapshot.length > snapshotPage) {
          found.byState += 1;
          if (!sameState(after(snapshot, changes), this.oracle.state(view))) fault("another state at the end");
          return;
        }
        if (!isFirst && !pair.isUnplanned && (start < pair.earliest || start > pair.latest)) {
          const due = [pair.latest, pair.earliest].map((from) => view.told.length - from);
          fault(`${changes.length} changes since its snapshot, of ${due.join("..")}`);
        }
        this.#compareSnapshot(snapshot, state, view.area.isMap || view.area.detect, fault);
        const wanted = view.told.slice(Math.max(0, start), isLast && !pair.isClosed ? undefined : start + changes.length);
        this.#compareChanges(changes, wanted, view.area.isMap, fault);
      });
    }
    return found;
  }

  #compareSnapshot(snapshot, state, isUnsorted, fault) {
    const wanted = [...state].sort(([one], [other]) => (one < other ? -1 : 1)).map(([, fix]) => this.#shown(fix));
    const given = snapshot.map(({ key, lat, lng, data }) => ({ key, lat, lng, data }));
    if (isUnsorted) given.sort((one, other) => (one.key < other.key ? -1 : 1));
    for (let n = 0; n < Math.max(given.length, wanted.length); n += 1) {
      if (!same(given[n], wanted[n])) {
        const what = `${show(given[n])} instead of ${show(wanted[n])}`;
        fault(`snapshot of ${given.length}, wanted ${wanted.length}; ${n}: ${what}`);
        return;
      }
    }
  }

  #compareChanges(changes, wanted, isMap, fault) {
    for (let n = 0; n < Math.max(changes.length, wanted.length); n += 1) {
      const expected = wanted[n] && this.#told(wanted[n], isMap);
      const given = changes[n] && without(changes[n], "offset");
      if (same(given, expected)) continue;
      const fix = wanted[n]?.fix ?? given?.data?.n;
      const what = `${show(given)} instead of ${show(expected)}`;
      fault(`change ${n} of ${wanted.length}: ${what}; fix ${fix}: ${show(this.fixes[fix])}`);
      return;
    }
  }

  /** Not all is told, but nothing that was not so, in order, and not too often. */
  #compareConflated({ view, began }, { snapshot, changes }, isLast, fault) {
    const known = new Map(snapshot.map(({ key, data }) => [key, { fix: data.n, isIn: true, told: 0 }]));
    const most = ((Date.now() - began) / 1000) * view.area.hz + 2;
    for (const change of changes) {
      const { key, event, data: { n: fix } } = change;
      const { fix: before = -1, isIn = false, told = 0 } = known.get(key) ?? {};
      const isSo = same(without(change, "offset", "reason"), { ...this.#shown(fix), time_ms: this.fixes[fix].t, event });
      const wants = view.area.wants?.(tagsOf(this.fixes[fix], fix)) ?? true;
      const isThere = view.inside[fix] === 1 && wants;
      const isDue = event === "exit" ? isIn && !isThere : isThere && isIn === (event === "move");
      if (!isSo || !isDue || fix < before || told + 1 > most) {
        return fault(`${show(change)} after fix ${before}, ${isIn ? "in" : "out"}, told ${told} times of ${most}`);
      }
      known.set(key, { fix, isIn: event !== "exit", told: told + 1 });
    }
    if (isLast && !sameState(after(snapshot, changes), this.oracle.state(view))) fault("another state at the end");
  }

  /** A map is told keys and their values. */
  #told({ event, fix, reason }, isMap) {
    if (isMap && event === "exit") return { event, key: this.fixes[fix].id };
    const told = { ...this.#shown(fix), time_ms: this.fixes[fix].t };
    return isMap ? { ...told, event: "set" } : { ...told, event, reason };
  }

  #shown(fix) {
    const { id, lat, lng } = this.fixes[fix];
    return { key: id, lat, lng, data: { n: fix } };
  }
}

/** The snapshot of a subscription, in the reply and after it, and then the changes. */
function parts(segment) {
  const objects = segment.context.data?.objects ?? [];
  let rest = segment.told.findIndex(({ reason }) => reason !== "snapshot");
  if (rest < 0) rest = segment.told.length;
  return { snapshot: [...objects, ...segment.told.slice(0, rest)], changes: segment.told.slice(rest) };
}

function after(snapshot, changes) {
  const state = new Map(snapshot.map(({ key, data }) => [key, data.n]));
  for (const { event, key, data } of changes) advance(state, event, key, data?.n);
  return state;
}

function advance(state, event, key, fix) {
  if (event === "exit") state.delete(key);
  else state.set(key, fix);
}

function sameState(one, other) {
  return one.size === other.size && [...one].every(([key, fix]) => other.get(key) === fix);
}

function same(one, other) {
  if (!one || !other) return one === other;
  const names = Object.keys(other);
  return Object.keys(one).filter((name) => one[name] !== undefined).length === names.length &&
    names.every((name) => (name === "data" ? one.data?.n === other.data.n : one[name] === other[name]));
}

function without(value, ...names) {
  return Object.fromEntries(Object.entries(value).filter(([name]) => !names.includes(name)));
}

const show = (value) => (value === undefined ? "nothing" : JSON.stringify(value));
