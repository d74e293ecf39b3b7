// The fixes as events, and who hears of them: now, and after a lost connection.

import assert from "node:assert/strict";
import { unique } from "../support.js";
import { followMe, followObject, tagsOf } from "./areas.js";
import { call, crowd, inOrder, Listener, settled } from "./crowd.js";
import { connections, fixedAreas, zonesOver } from "./plan.js";
import { distanceM, isWithin, travel } from "./sphere.js";

const batchSize = 200;
const waitMs = 20_000;
const shownMax = 20;
/** `history_size` of the namespace, for each cell of H3 resolution 5; and what one recovery gives at most. */
const historySize = 60;
const recoveredMax = 300;
/** No cell of that resolution is wider; and no more than three of them meet in a circle of the second radius. */
const cellM = 45_000;
const fewCellsM = 3_000;

export async function replayEvents(t, server, { fixes, places, random, reach, isHard }) {
  const began = Date.now();
  const replay = new EventReplay(server, { fixes, places, random, reach });
  await replay.prepare(t, isHard);
  const batches = Math.ceil(fixes.length / batchSize);
  for (let batch = 0; batch < batches; batch += 1) await replay.run(batch, batches);
  await replay.welcomeBack();
  const { deliveries, recovered, lost, explained, faults } = replay.audit();
  for (const fault of faults.slice(0, shownMax)) t.diagnostic(fault);
  t.diagnostic(
    `${fixes.length} fixes as ${replay.events.length} events, ${replay.pairs.length} subscriptions on ${connections} ` +
    `connections, ${deliveries} deliveries compared, ${recovered} recovered, ${lost} not (${explained} of both ` +
    `foretold), ${((Date.now() - began) / 1000).toFixed(1)} s`,
  );
  assert.equal(faults.length, 0, `${faults.length} differences, the first: ${faults[0]}`);
  assert.ok(replay.pairs.length >= 300 && recovered > 0 && lost > 0, `recovered ${recovered}, lost ${lost}`);
}

class EventReplay {
  pairs = [];
  /** By offset less one; the channel is its own, so that offsets are numbers of events. */
  events = [];

  constructor(server, { fixes, places, random, reach }) {
    Object.assign(this, { server, fixes, places, random, reach });
    this.channel = unique("reports:");
    this.leaders = unique("fleet:");
  }

  async prepare(t, isHard) {
    const { places, random, reach } = this;
    const fixed = await fixedAreas(places, random, { count: 290, reach, isHard });
    this.zones = zonesOver(fixed, unique("zones"));
    for (const { area, first } of this.zones) {
      await this.server.api("zone_set", { name: area.zone, area: first.area.data });
    }
    const radius = () => reach * (0.01 + random.below(1000) / 7001) + 0.123;
    const mine = Array.from({ length: 20 }, () => ({ area: followMe(radius()) }));
    const led = Array.from({ length: 6 }, (_, n) => ({ area: followObject(this.leaders, `leader${n}`, radius()) }));
    const people = await crowd(t, this.server, connections);
    this.people = people;
    const whole = people.filter(({ proxy }) => !proxy);
    const taken = new Set();
    [...fixed, ...this.zones, ...mine, ...led].forEach(({ area, inside }, n) => {
      const some = area.kind.startsWith("follow") ? whole : people;
      const person = some[n % some.length];
      const label = area.label ?? `a${n}`;
      if (taken.has(`${n % some.length} ${label}`)) return;
      taken.add(`${n % some.length} ${label}`);
      const listener = new Listener(person, `${this.channel}@${label}`, area);
      const joins = inside && !person.proxy && random.below(4) === 0 ? 1 + random.below(10) : 0;
      const pair = { area, inside, person, listener, joins, wanted: [] };
      person.listeners.push(pair);
      this.pairs.push(pair);
    });
    const batches = Math.ceil(this.fixes.length / batchSize);
    people.filter(({ proxy }) => proxy).forEach((person, n) => {
      person.leaves = 1 + (n % 3);
      person.stays = [0, 1, 3, Math.max(8, Math.floor(batches / 8))][n % 4];
    });
  }

  async run(batch, batches) {
    const first = batch * batchSize;
    const end = Math.min(this.fixes.length, first + batchSize);
    const joining = this.pairs.filter(({ joins }) => joins === batch);
    for (const { listener } of joining) listener.subscribe();
    if (batch === 0) await this.#settle("first subscriptions");
    const sent = this.#publish(this.places.slice(first, end).map((at, n) => ({ at, fix: first + n })));
    for (const person of this.people.filter(({ proxy }) => proxy)) {
      const comes = person.leaves + person.stays;
      if (batch !== person.leaves && batch !== comes) continue;
      await new Promise((resolve) => setTimeout(resolve, this.random.below(6)));
      if (batch === person.leaves) {
        person.isAway = person.stays > 0;
        person.proxy.refusing = person.isAway;
        person.proxy.cut();
      } else {
        person.proxy.refusing = person.isAway = false;
      }
      person.segments = 2;
    }
    await sent;
    await this.#settle(`batch ${batch}`);
    if (batch % 3 === 0) await this.#moveThemselves(end);
    if (batch % 4 === 1) await this.#moveLeaders(end);
    if (batch === Math.floor(batches / 2)) await this.#changeZones();
  }

  async welcomeBack() {
    for (const person of this.people.filter(({ isAway }) => isAway)) {
      person.proxy.refusing = person.isAway = false;
    }
    await this.#settle("the end");
  }

  /** All that is wanted is known before anything is sent. */
  async #publish(events) {
    const commands = events.map(({ at, fix, probe }) => {
      this.events.push({ at, fix, probe });
      const n = this.events.length;
      for (const pair of this.pairs) {
        if (this.#hasIt(pair, at, fix) && !(probe && pair.area.key)) pair.wanted.push(n);
      }
      const id = fix === undefined ? "probe" : this.fixes[fix].id;
      const data = { lat: at.lat, lng: at.lng, id, n };
      return { publish: { channel: this.channel, data, tags: this.#tags(fix) } };
    });
    await inOrder(this.server, commands);
  }

  #tags(fix) {
    return fix === undefined ? {} : tagsOf(this.fixes[fix], fix);
  }

  #hasIt(pair, at, fix) {
    if (pair.area.wants && !pair.area.wants(this.#tags(fix))) return false;
    if (pair.inside) return fix === undefined ? pair.area.has(at) : pair.inside[fix] === 1;
    return pair.center !== undefined && isWithin(distanceM(pair.center, at), pair.area.radius);
  }

  async #moveThemselves(end) {
    for (const person of this.people) {
      const own = person.listeners.filter(({ area }) => area.kind === "follow me");
      if (own.length === 0) continue;
      const to = this.places[this.random.below(end)];
      await call(person, "geo.position", { lat: to.lat, lng: to.lng });
      for (const pair of own) pair.center = to;
    }
  }

  /** Followers in another lane hear of their object a moment later: an event tells when. */
  async #moveLeaders(end) {
    for (const pair of this.pairs.filter(({ area }) => area.key)) {
      const to = this.places[Math.max(0, end - 1 - this.random.below(batchSize))];
      if (pair.center && distanceM(pair.center, to) < 2 * pair.area.radius) continue;
      await this.server.api("geo_set", { channel: this.leaders, key: pair.area.key, lat: to.lat, lng: to.lng });
      pair.center = to;
      const at = travel(to, pair.area.radius / 2, 77);
      const has = () => pair.listener.last.told.some(({ n }) => this.events[n - 1].at === at);
      for (let tries = 0; !has(); tries += 1) {
        assert.ok(tries < 500, `who follows ${pair.area.key} hears nothing round its new place`);
        await this.#publish([{ at, probe: true }]);
        await settled([pair], has, 10);
      }
    }
  }

  async #changeZones() {
    for (const { area, later } of this.zones) {
      await this.server.api("zone_set", { name: area.zone, area: later.area.data });
      for (const pair of this.pairs.filter((pair) => pair.area.zone === area.zone)) {
        pair.inside = later.inside;
        pair.area = { ...pair.area, has: later.area.has, cap: undefined };
      }
    }
  }

  async #settle(when) {
    const here = this.pairs.filter(({ person, listener }) => !person.isAway && listener.sub.state !== "unsubscribed");
    const open = await settled(here, (pair) => this.#isEven(pair), waitMs);
    if (open.length === 0) return;
    const stuck = open.slice(0, 5).map(({ listener, wanted }) =>
      `${listener.channel} heard ${listener.count} in ${listener.segments.length} segments, the last ` +
      `${listener.last?.told.at(-1)?.n}, of ${wanted.length}, the last ${wanted.at(-1)}; ${listener.failed}`);
    const faults = this.audit().faults.slice(0, shownMax);
    assert.fail(`${when}: ${open.length} were not told all:\n${[...stuck, ...faults].join("\n")}`);
  }

  #isEven({ listener, person, wanted }) {
    if (listener.segments.length < (person.segments ?? 1)) return false;
    const last = wanted.at(-1) ?? 0;
    const { context, told } = listener.last;
    const isTold = (told.at(-1)?.n ?? listener.segments.at(-2)?.told.at(-1)?.n ?? 0) >= last;
    return isTold || Number(context.streamPosition.offset) >= last;
  }

  /** Walks all that each subscription heard: without `recovered: false` between them, no two miss anything. */
  audit() {
    const found = { deliveries: 0, recovered: 0, lost: 0, explained: 0, faults: [] };
    for (const pair of this.pairs) {
      const fault = (what) => {
        const area = JSON.stringify(pair.area.data ?? pair.area.label).slice(0, 400);
        found.faults.push(`${pair.area.kind} ${area} @ ${pair.listener.channel}: ${what}`);
      };
      for (const failure of pair.listener.failed) fault(failure);
      let base = 0;
      let heard = [];
      for (const { context, told } of pair.listener.segments) {
        const top = Number(context.streamPosition.offset);
        if (context.wasRecovering) {
          const foretold = this.#foretell(pair, heard.at(-1) ?? base, top);
          found.explained += foretold === undefined ? 0 : 1;
          if (foretold !== undefined && foretold !== context.recovered) {
            fault(`recovered is ${context.recovered} from ${heard.at(-1) ?? base} to ${top}, foretold ${foretold}`);
          }
          found[context.recovered ? "recovered" : "lost"] += 1;
        }
        if (!context.recovered) {
          this.#compare(pair, { base, heard, isWhole: false }, fault);
          [base, heard] = [top, []];
        }
        for (const { n, lat, lng, id, offset } of told) {
          found.deliveries += 1;
          const { at, fix, probe } = this.events[n - 1] ?? {};
          const isSame = at && at.lat === lat && at.lng === lng && offset === n && (probe || this.fixes[fix].id === id);
          if (!isSame) fault(`another event than was published: ${JSON.stringify({ n, lat, lng, id, offset })}`);
          if (!(probe && pair.area.key)) heard.push(n);
        }
      }
      this.#compare(pair, { base, heard, isWhole: true }, fault);
    }
    return found;
  }

  #compare({ wanted }, { base, heard, isWhole }, fault) {
    const due = wanted.filter((n) => n > base);
    const count = isWhole ? Math.max(due.length, heard.length) : heard.length;
    for (let index = 0; index < count; index += 1) {
      if (heard[index] === due[index]) continue;
      const about = (n) => JSON.stringify(this.fixes[this.events[n - 1].fix] ?? "a probe");
      const of = (n) => (n === undefined ? "nothing" : `${n} ${about(n)}`);
      fault(`event ${index} of ${due.length} since ${base}: ${of(heard[index])} instead of ${of(due[index])}`);
      return;
    }
  }

  /** Whether history must reach back, or cannot; undefined where that hangs on where cells begin and end. */
  #foretell({ wanted, area }, since, top) {
    const missed = wanted.filter((n) => n > since && n <= top).map((n) => this.events[n - 1].at);
    if (missed.length > recoveredMax) return false;
    const step = Math.max(1, Math.floor(missed.length / 20));
    for (let index = 0; index < missed.length; index += step) {
      const near = missed.filter((at) => distanceM(at, missed[index]) < fewCellsM);
      if (near.length > 3 * historySize) return false;
    }
    if (!area.cap) return undefined;
    const later = this.events.slice(since, top).map(({ at }) => at);
    for (const [index, at] of later.entries()) {
      if (distanceM(area.cap.center, at) > area.cap.radius + cellM) continue;
      let behind = 0;
      for (let other = index + 1; other < later.length && behind < historySize; other += 1) {
        behind += distanceM(at, later[other]) < cellM ? 1 : 0;
      }
      if (behind >= historySize) return undefined;
    }
    return true;
  }
}
