import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startApp } from 'sevenfold/test';

test('turns the LED four times a second, and faster once the button was pressed', async () => {
  await using app = await startApp();
  await app.log.waitFor(/starts/);
  await app.clock.advance(2000);
  const { changes } = app.board.led('APP_LED');
  const before = changes.length;
  assert.ok(before >= 7 && before <= 9, `${before} changes`);
  const button = app.board.button('APP_BUTTON');
  button.press();
  await app.log.waitFor(/pressed 1 times, now every 100 ms/, 1000);
  button.release();
  await app.clock.advance(2000);
  assert.ok(changes.length >= before + 18, `${changes.length - before} changes`);
});
