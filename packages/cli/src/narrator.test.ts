import { describe, expect, it } from 'vitest';
import { createNarrator } from './narrator.ts';

function listen(isTTY: boolean): {
  readonly text: () => string;
  readonly narrator: ReturnType<typeof createNarrator>;
} {
  let text = '';
  const write = (part: string): void => {
    text += part;
  };
  return { text: () => text, narrator: createNarrator({ isTTY, write }) };
}

describe('the narrator', () => {
  it('prints a line a step with what was proved, and nothing but text on a pipe', async () => {
    const { text, narrator } = listen(false);
    const result = await narrator.step(5, 'Boot', (progress) => {
      progress.report(1, 2, 'half');
      return Promise.resolve({ proved: ['it runs'], value: 7 });
    });
    expect(result.value).toBe(7);
    expect(text()).toMatch(/^✓ {2}5 Boot \d+\.\d s\n {6}it runs\n$/);
    // oxlint-disable-next-line no-control-regex -- looks for what must not be there
    expect(text()).not.toMatch(/[\u001b\r]/);
  });

  it('names the step that failed and hands its error on', async () => {
    const { text, narrator } = listen(false);
    const failing = narrator.step(6, 'Attest', () => Promise.reject(new Error('no')));
    await expect(failing).rejects.toThrow('no');
    expect(text()).toMatch(/^✗ {2}6 Attest/);
  });

  it('colours on a terminal', async () => {
    const { text, narrator } = listen(true);
    await narrator.step(1, 'Service', () => Promise.resolve({ proved: [] }));
    expect(text()).toContain('\u001B[32m✓');
  });
});
