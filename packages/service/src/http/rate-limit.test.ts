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

  it('lets in who waited as long as they were told, at whatever rate, and not a second earlier', () => {
    for (const perSecond of [0.01, 0.03, 0.05, 1 / 3, 0.7, 1 / 7]) {
      const clock = testClock();
      const limiter = new RateLimiter({ burst: 3, perSecond }, clock);
      for (let count = 0; count < 50; count++) {
        const seconds = limiter.wait('one');
        if (seconds > 0) clock.advance((seconds - 1) * 1000);
        expect(limiter.wait('one')).toBe(Math.min(seconds, 1));
        if (seconds > 0) clock.advance(1000);
        expect([perSecond, limiter.wait('one')]).toEqual([perSecond, 0]);
        limiter.take('one');
      }
    }
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
