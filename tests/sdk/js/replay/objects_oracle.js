// What each view of an object channel must be told of a sequence of fixes, found by comparing every fix with every
// view: the old place and the new place of the object decide.

import { tagsOf } from "./areas.js";
import { Fence } from "./fences_oracle.js";
import { distanceM, isWithin } from "./sphere.js";

/** One subscription: `inside` says for each fix whether a fixed area has its place. */
export class View {
  /** What was told since the client asked, and the state before the first of it; undefined until it asks. */
  told;
  before;

  constructor(area, inside, keys) {
    Object.assign(this, { area, inside });
    this.has = new Uint8Array(keys);
    this.unwanted = new Uint8Array(keys);
    this.distances = area.k ? new Float64Array(keys).fill(Infinity) : undefined;
    this.ranked = [];
    this.center = undefined;
  }
}

export class ObjectsOracle {
  accepted = 0;
  #views;
  #fixes;
  #places;
  #keys = new Map();
  #latest = [];

  constructor(fixes, places) {
    this.#fixes = fixes;
    this.#places = places;
  }

  set views(views) {
    this.#views = views;
    for (const view of views.filter(({ area, fence }) => area.detect && !fence)) view.fence = new Fence(view, this.#places);
  }

  /** From here on a view's client may have been answered. */
  begin(view) {
    // Who follows an object begins round where that is now.
    const followed = this.#latest[this.#keys.get(view.area.key)];
    if (followed !== undefined) this.shift(view, this.#places[followed]);
    view.told = [];
    if (view.fence) this.#latest.forEach((index, slot) => (view.has[slot] = view.inside[index]));
    const isTold = !view.fence || view.area.detect.includes("enter");
    view.before = isTold ? this.state(view) : new Map();
  }

  /** A view of a fixed area that begins round objects that are there. */
  add(view) {
    this.#latest.forEach((index, slot) => this.#stand(view, slot, index));
    view.told = [];
    view.before = this.state(view);
    this.#views.push(view);
  }

  remove(view) {
    this.#views.splice(this.#views.indexOf(view), 1);
  }

  /** The objects that a view sees, with the fix by which each is where it is. */
  state(view) {
    const state = new Map();
    this.#latest.forEach((index, slot) => {
      if (view.has[slot]) state.set(this.#fixes[index].id, index);
    });
    return state;
  }

  apply(index) {
    const { id, t } = this.#fixes[index];
    const isNew = !this.#keys.has(id);
    if (isNew) this.#keys.set(id, this.#keys.size);
    const slot = this.#keys.get(id);
    if (!isNew && t <= this.#fixes[this.#latest[slot]].t) return;
    const last = this.#latest[slot];
    this.#latest[slot] = index;
    this.accepted += 1;
    for (const view of this.#views) {
      if (view.area.k) {
        this.#rank(view, slot, isNew);
        continue;
      }
      if (view.fence) {
        if (!view.told) continue;
        const reason = isNew ? "created" : "moved";
        for (const event of view.fence.step(slot, last, index)) this.#tell(view, event, slot, reason);
        continue;
      }
      const before = { has: view.has[slot], unwanted: view.unwanted[slot] };
      this.#stand(view, slot, index);
      this.#step(view, slot, before, isNew);
    }
    const [from, to] = [this.#places[last], this.#places[index]];
    if (from && from.lat === to.lat && from.lng === to.lng) return;
    for (const view of this.#views) {
      if (view.area.key === id && view.told) this.shift(view, to);
    }
  }

  /** The area of a view that follows somebody is round another place; a zone is another area. */
  shift(view, center, inside) {
    if (inside) view.inside = inside;
    else view.center = center;
    const now = this.#latest.map((index) => this.#isIn(view, index));
    const changed = [...now.keys()].filter((slot) => now[slot] !== view.has[slot]);
    const byKey = (slots) => slots.sort((a, b) => (this.#idOf(a) < this.#idOf(b) ? -1 : 1));
    for (const slot of byKey(changed.filter((slot) => !now[slot]))) this.#tell(view, "exit", slot, "area_changed");
    for (const slot of byKey(changed.filter((slot) => now[slot]))) this.#tell(view, "enter", slot, "area_changed");
    for (const slot of changed) view.has[slot] = now[slot];
  }

  #idOf(slot) {
    return this.#fixes[this.#latest[slot]].id;
  }

  #isIn(view, index) {
    if (view.inside) return view.inside[index];
    if (!view.center || this.#fixes[index].id === view.area.key) return 0;
    return isWithin(distanceM(view.center, this.#places[index]), view.area.radius) ? 1 : 0;
  }

  #stand(view, slot, index) {
    const isIn = this.#isIn(view, index);
    const wants = view.area.wants?.(tagsOf(this.#fixes[index], index)) ?? true;
    view.has[slot] = isIn && wants ? 1 : 0;
    view.unwanted[slot] = isIn && !wants ? 1 : 0;
  }

  #step(view, slot, { has: was, unwanted }, isNew) {
    const is = view.has[slot];
    const isByFilter = was !== is && (unwanted || view.unwanted[slot]);
    const reason = isByFilter ? "filter" : isNew ? "created" : "moved";
    if (was || is) this.#tell(view, was ? (is ? "move" : "exit") : "enter", slot, reason);
  }

  #tell(view, event, slot, reason) {
    view.told?.push({ event, fix: this.#latest[slot], reason });
  }

  /** The k nearest of all; of two at the same distance the object that came first. */
  #rank(view, slot, isNew) {
    const { k, to, within } = view.area;
    const distances = view.distances;
    const distance = distanceM(to, this.#places[this.#latest[slot]]);
    distances[slot] = within === Infinity || isWithin(distance, within) ? distance : Infinity;
    const ranked = [];
    for (let other = 0; other < this.#latest.length; other += 1) {
      const far = distances[other];
      if (far === Infinity || (ranked.length === k && far >= distances[ranked[k - 1]])) continue;
      let at = ranked.length;
      while (at > 0 && distances[ranked[at - 1]] > far) at -= 1;
      ranked.splice(at, 0, other);
      if (ranked.length > k) ranked.pop();
    }
    const others = (one, two) => one.filter((each) => each !== slot && !two.includes(each));
    for (const gone of others(view.ranked, ranked)) {
      this.#tell(view, "exit", gone, "area_changed");
      view.has[gone] = 0;
    }
    const before = { has: view.has[slot] };
    view.has[slot] = ranked.includes(slot) ? 1 : 0;
    this.#step(view, slot, before, isNew);
    for (const come of others(ranked, view.ranked)) {
      this.#tell(view, "enter", come, "area_changed");
      view.has[come] = 1;
    }
    view.ranked = ranked;
  }
}
