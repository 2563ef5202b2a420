import { toProblem } from '@sevenfold/formats';

import type { TokenAnswer, TokenRequest } from './protocol.ts';
import { Pkcs11Token } from './token.ts';

let token: Pkcs11Token | null = null;

function answer(request: TokenRequest): Uint8Array | null {
  if (request.call === 'open') {
    token = new Pkcs11Token(request.options);
    return null;
  }
  if (token === null) throw new Error('the token is not open');
  switch (request.call) {
    case 'make':
      return token.make(request.name, request.curve);
    case 'public':
      return token.public(request.name);
    case 'sign':
      return token.sign(request.name, request.message);
    default:
      return request satisfies never;
  }
}

// One request after the other, so no two make the same key. Only the store that started this process speaks to it.
process.on('message', (request: TokenRequest) => {
  let reply: TokenAnswer;
  try {
    reply = { id: request.id, result: answer(request) };
  } catch (error) {
    reply = { id: request.id, problem: toProblem(error) };
  }
  process.send?.(reply);
});
process.on('disconnect', () => process.exit(0));
