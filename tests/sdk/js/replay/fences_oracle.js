// What a subscription that asks for transitions must be told of each step of an object: it remembers who is in its area,
// lets nobody out before the hysteresis, and knows the way between two fixes.

export class Fence {
  constructor({ area, inside, has }, places) {
    Object.assign(this, { area, inside, has, places });
  }

  /** What a fix tells, in order; `from` and `to` are indices of fixes. */
  step(slot, from, to) {
    const was = this.has[slot] === 1;
    const is = this.inside[to] === 1 || (was && this.#isHeld(to));
    this.has[slot] = is ? 1 : 0;
    const isCrossed = () => {
      if (was || is || from === undefined || !this.area.detect.includes("cross")) return false;
      const [start, end] = [this.places[from], this.places[to]];
      return (start.lat !== end.lat || start.lng !== end.lng) && this.area.isMet(start, end);
    };
    return [
      ["exit", was && !is],
      ["outside", !is],
      ["enter", !was && is],
      ["inside", is],
      ["cross", isCrossed()],
    ].filter(([event, happens]) => happens && this.area.detect.includes(event)).map(([event]) => event);
  }

  #isHeld(to) {
    return this.area.hysteresis > 0 && this.area.isNear(this.places[to], this.area.hysteresis);
  }
}
