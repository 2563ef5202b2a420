import { describe, expect, it } from 'vitest';
import { testClock } from '../test-service.ts';
import { RateLimiter } from './rate-limit.ts';

describe('a rate limit', () => {
  it('lets a burst through, then as many as time allows', () => {
    const clock = testClock();
    const limiter = new RateLimiter({ burst: 2, perSecond: 0.5 }, clock);
    const knock = (): number => {
      const seconds = limiter.wait('someone');
      if (seconds === 0) limiter.take('someone');
      return seconds;
    };
    expect([knock(), knock(), knock()]).toEqual([0, 0, 2]);
    clock.advance(1000);
    expect(knock()).toBe(1);
    clock.advance(1000);
    expect([knock(), knock()]).toEqual([0, 2]);
    clock.advance(3_600_000);
    expect([knock(), knock(), knock()]).toEqual([0, 0, 2]);
  });

  it('keeps those who knock apart, and is not fooled by a clock that goes back', () => {
    const clock = testClock();
    const limiter = new RateLimiter({ burst: 1, perSecond: 1 }, clock);
    limiter.take('one');
    clock.advance(-5000);
    expect([limiter.wait('one'), limiter.wait('two')]).toEqual([1, 0]);
  });

  it('forgets who was quiet the longest, when many knock', () => {
    const limiter = new RateLimiter({ burst: 1, perSecond: 0.001 }, testClock());
    for (let name = 0; name <= 10_000; name++) limiter.take(String(name));
    expect(limiter.wait('0')).toBe(0);
    expect(limiter.wait('10000')).toBeGreaterThan(0);
  });
});
