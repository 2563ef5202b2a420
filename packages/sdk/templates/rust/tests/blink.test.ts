import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startApp } from 'sevenfold/test';

test('blinks once a second', async () => {
  await using app = await startApp();
  await app.log.waitFor(/started/);
  await app.clock.advance(10_000);
  const lit = app.board.led('APP_LED').changes.filter(({ isLit }) => isLit);
  assert.equal(lit.length, 10);
});

test('blinks twice as fast once the button was pressed', async () => {
  await using app = await startApp();
  const button = app.board.button('APP_BUTTON');
  button.press();
  await app.clock.advance(50);
  button.release();
  await app.log.waitFor(/every 500 ms/, 1000);
});
