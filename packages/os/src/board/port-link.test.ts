import { MessageChannel } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { SevenfoldError, type PortValue } from '@sevenfold/formats';
import { PortLink, type LinkHandler } from './port-link.ts';

function linked(serve: LinkHandler): { link: PortLink; internal: string[]; readonly close: () => void } {
  const { port1, port2 } = new MessageChannel();
  const internal: string[] = [];
  const link = new PortLink(
    port1,
    async () => null,
    () => {},
  );
  const other = new PortLink(port2, serve, (detail) => internal.push(detail));
  return {
    link,
    internal,
    close() {
      other.close('done');
      port1.close();
    },
  };
}

describe('calls between threads', () => {
  it('join answers to their calls, in whichever order they come', async () => {
    const { link, close } = linked(async (target, method, args) => {
      if (method === 'slow') await new Promise((resolve) => setImmediate(resolve));
      return [target, method, ...args];
    });
    const [slow, fast] = await Promise.all([
      link.call('a', 'slow', [1]),
      link.call('b', 'fast', [2n, new Uint8Array([3])]),
    ]);
    expect(slow).toEqual(['a', 'slow', 1]);
    expect(fast).toEqual(['b', 'fast', 2n, new Uint8Array([3])]);
    close();
  });

  it('copy what crosses: a view travels without the memory around it, and stays usable here', async () => {
    const around = new Uint8Array(1000).fill(7);
    const { link, close } = linked(
      async (_target, _method, [bytes]) => (bytes as Uint8Array).buffer.byteLength,
    );
    expect(await link.call('a', 'x', [around.subarray(10, 20)])).toBe(10);
    expect(around.length).toBe(1000);
    close();
  });

  it('carry code, field and rule of an error, and of any other error nothing but that it was internal', async () => {
    const { link, internal, close } = linked(async (_target, method) => {
      if (method === 'typed')
        throw new SevenfoldError('NoRoom', 'There is no room.', { field: 'size', rule: 'at most 3' });
      throw new TypeError('a secret of the other side');
    });
    await expect(link.call('a', 'typed', [])).rejects.toMatchObject({
      code: 'NoRoom',
      message: 'There is no room.',
      field: 'size',
      rule: 'at most 3',
    });
    await expect(link.call('a', 'other', [])).rejects.toMatchObject({
      code: 'Internal',
      message: expect.not.stringContaining('secret'),
    });
    expect(internal.join()).toContain('a secret of the other side');
    close();
  });

  it.each([[() => 1], [undefined], [Symbol('x')], [new Map()], [{ a: { b: () => 1 } }]])(
    'refuse %o before it leaves',
    async (value) => {
      const { link, close } = linked(async () => null);
      await expect(link.call('a', 'x', [value as unknown as PortValue])).rejects.toMatchObject({
        code: 'NotPlainData',
      });
      close();
    },
  );

  it('say which part of a value is no plain data', async () => {
    const { link, close } = linked(async () => null);
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    await expect(
      link.call('a', 'x', [1, { a: [null, (): void => {}] } as unknown as PortValue]),
    ).rejects.toMatchObject({ field: '1.a.1' });
    await expect(link.call('a', 'x', [cycle as PortValue])).rejects.toMatchObject({ code: 'NotPlainData' });
    close();
  });

  it('reject what waits and what comes later once the link is closed', async () => {
    const { link, close } = linked(() => new Promise(() => {}));
    const waiting = expect(link.call('a', 'x', [])).rejects.toMatchObject({
      code: 'StageStopped',
      message: 'gone',
    });
    link.close('gone');
    await waiting;
    await expect(link.call('a', 'x', [])).rejects.toMatchObject({ code: 'StageStopped' });
    close();
  });

  it('refuse who has thousands of calls waiting already, and answer again once they are through', async () => {
    let release = (): void => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    const { link, close } = linked(async () => {
      await held;
      return null;
    });
    const calls = Array.from({ length: 5000 }, () => link.call('pluton', 'random', []));
    const refused = await Promise.allSettled(calls.slice(4096).map((call) => call));
    expect(
      refused.every((outcome) => outcome.status === 'rejected' && outcome.reason.code === 'TooManyCalls'),
    ).toBe(true);
    release();
    await Promise.all(calls.slice(0, 4096));
    expect(await link.call('pluton', 'random', [])).toBeNull();
    close();
  });
});
