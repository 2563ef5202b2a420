import { utf8Encode } from '@sevenfold/formats';
import { describe, expect, it } from 'vitest';

import { RecentMessages } from './recent-messages.ts';

const message = (tenantId: string, text: string) => ({
  tenantId,
  deviceId: 'd'.repeat(64),
  topic: `devices/${'d'.repeat(64)}/telemetry`,
  payload: utf8Encode(text),
});

describe('the window on the broker', () => {
  it('shows a tenant its own messages alone, newest first', () => {
    const messages = new RecentMessages();
    messages.add(message('one', 'first'), 1000);
    messages.add(message('one', 'second'), 2000);
    messages.add(message('two', 'theirs'), 3000);
    expect(messages.of('one').map(({ payload, time }) => [payload, time])).toEqual([
      ['second', '1970-01-01T00:00:02.000Z'],
      ['first', '1970-01-01T00:00:01.000Z'],
    ]);
    expect(messages.of('three')).toEqual([]);
  });

  it('cannot be filled: 200 messages of 4 KiB a tenant', () => {
    const messages = new RecentMessages();
    for (let count = 0; count < 1000; count++) messages.add(message('one', 'x'.repeat(60_000)), count);
    expect(messages.of('one')).toHaveLength(200);
    expect(messages.of('one').every(({ payload }) => payload.length === 4096)).toBe(true);
  });
});
