import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startApp } from 'sevenfold/test';

test('turns the LED four times a second', async () => {
  await using app = await startApp();
  await app.log.waitFor(/starts/);
  await app.clock.advance(10_100);
  assert.equal(app.board.led('APP_LED').changes.length, 40);
});

test('tells when the button was pressed', async () => {
  await using app = await startApp();
  await app.clock.advance(1000);
  app.board.button('APP_BUTTON').press();
  await app.log.waitFor(/pressed after \d+ turns/, 1000);
});
