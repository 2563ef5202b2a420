import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { openTestService, type TestService } from '../test-service.ts';
import { KeptReferences } from './kept-references.ts';

let service: TestService;
beforeAll(async () => {
  service = await openTestService();
});
afterAll(() => service.close());

describe('references that are kept', () => {
  it('are read once until they are forgotten', async () => {
    const kept = new KeptReferences<string>();
    let published = 'first';
    const get = () => kept.get(service.store, 'release', () => Promise.resolve(published));
    expect(await get()).toBe('first');
    published = 'second';
    expect(await get()).toBe('first');
    kept.forget(service.store);
    expect(await get()).toBe('second');
  });

  it('are never older than the last write, however slowly they were read', async () => {
    const kept = new KeptReferences<string>();
    const slow = Promise.withResolvers<string>();
    const early = kept.get(service.store, 'release', () => slow.promise);
    kept.forget(service.store);
    slow.resolve('revoked meanwhile');
    expect(await early).toBe('revoked meanwhile');
    expect(await kept.get(service.store, 'release', () => Promise.resolve('now'))).toBe('now');
  });

  it('do not fill up with what nobody has published', async () => {
    const kept = new KeptReferences<string>();
    let published: string | null = null;
    const get = () => kept.get(service.store, 'digest', () => Promise.resolve(published));
    expect(await get()).toBeNull();
    published = 'an image';
    expect(await get()).toBe('an image');
  });
});
