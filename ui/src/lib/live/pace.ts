/** How far behind the newest picture to play, and what to do to get there. Pure: `now` is an argument.
 *
 * `level` is how much is buffered ahead of the picture. What matters is how low it gets between two parts: that is the lateness that would not
 * be seen. The pace keeps this low mark at `margin`: a bit faster when there is more, a bit slower when there is less, and a jump when playing
 * faster would take too long. What little is left when parts fail to come is stretched: half as fast or less for a few tenths of a second is seen less
 * than a picture that stands still. The margin grows when it was not enough and shrinks slowly while it is. Units: seconds. */

export const FIRST_MARGIN_S = 0.37;
/** A relay that dies or turns slow costs 0.25 to 0.4 s until its parts come from others, now and then 0.5 s. */
export const LEAST_MARGIN_S = FIRST_MARGIN_S;
export const MOST_MARGIN_S = 2.5;
const JUMP_S = 2;
const LOOK_BACK_S = 1;
const CALM_S = 10;
const SHRINK_S = 0.02;
const SHRINK_SHARE = 0.1;
/** Below the one it is played at SLOW, below the other at SLOWEST, and in between in between. */
const STRETCH_BELOW_S = 0.3;
const SLOWEST_BELOW_S = 0.15;
const SLOW = 0.8;
const SLOWEST = 0.4;
/** Browsers stop before the end of what they have: 0.05 to 0.12 s of it were left in Chromium. */
const CLOSE_CALL_S = 0.12;

export interface Decision {
  /** Of the playing, 1 as a rule. */
  rate: number;
  /** True: go to `margin` behind the newest picture now. */
  jump: boolean;
}

export class Pace {
  margin = FIRST_MARGIN_S;
  private lows: { at: number; level: number }[] = [];
  private rate = 1;
  private calmSince = -Infinity;
  private begunAt = Infinity;

  /** Playing begins, or begins anew somewhere else. */
  begin(now: number): void {
    this.lows = [];
    this.rate = 1;
    this.begunAt = now;
    this.calmSince = now;
  }

  /** A part has come: how much there was just before it. */
  arrived(level: number, now: number): void {
    this.lows.push({ at: now, level });
    while (this.lows.length > 1 && (this.lows[0]?.at ?? now) < now - LOOK_BACK_S) this.lows.shift();
    if (level < CLOSE_CALL_S && now - this.begunAt > LOOK_BACK_S) this.raise(0.1, now);
  }

  /** The picture stood still because there was nothing to show. */
  stalled(now: number): void {
    this.raise(Math.max(0.15, 0.5 * this.margin), now);
    this.lows = [];
  }

  /** `level`: right now. */
  decide(level: number, now: number): Decision {
    if (now - this.calmSince > CALM_S) {
      const excess = this.margin - LEAST_MARGIN_S;
      this.margin = Math.max(LEAST_MARGIN_S, this.margin - Math.max(SHRINK_S, SHRINK_SHARE * excess));
      this.calmSince = now;
    }
    if (level > this.margin + JUMP_S) {
      this.begin(now);
      return { rate: 1, jump: true };
    }
    const low = Math.min(level, ...this.lows.map((sample) => sample.level));
    return { rate: (this.rate = this.choose(level, low)), jump: false };
  }

  private choose(level: number, low: number): number {
    const share = Math.max(0, level - SLOWEST_BELOW_S) / (STRETCH_BELOW_S - SLOWEST_BELOW_S);
    if (share < 1) return SLOWEST + share * (SLOW - SLOWEST);
    const excess = low - this.margin;
    if (excess > 0.5) return 1.1;
    if (excess > 0.2) return 1.05;
    if (excess > 0.06) return this.rate > 1 ? this.rate : 1.03;
    if (excess > 0.015 && this.rate > 1) return 1.03;
    if (excess < -0.1) return 0.97;
    if (excess < -0.03 && this.rate < 1) return 0.97;
    return 1;
  }

  private raise(by: number, now: number): void {
    this.margin = Math.min(MOST_MARGIN_S, this.margin + by);
    this.calmSince = now;
  }
}
