/**
 * The script that runs first in the realm of every stage, before its bundle, and stands between the two worlds for
 * as long as the stage runs. It is a text because it must belong to that realm: what it makes has that realm's
 * prototypes, so that nothing the bundle can reach leads back to the host's `Function`, `process` or `require`.
 *
 * Rules that it keeps (each is what makes one known way out of a realm fail, see `realm.test.ts`):
 * - No object of the host is ever handed to the bundle: values are copied into objects made here. That holds for
 *   promises and errors too; what the host throws is never even bound to a name.
 * - No object of the bundle is ever handed to the host: what goes out are fresh copies with own data properties
 *   only (records without a prototype), so that the host runs no code of the bundle by reading them.
 * - It uses the built-ins as it found them, not as the bundle may have changed them since.
 * - `Error` and its `prepareStackTrace` are nailed down: V8 would hand the latter frames of the host.
 * - Of the globals only the pure language stays: no clock, no randomness, no code from texts, no console.
 */
export const MEMBRANE_SOURCE = String.raw`(function () {
'use strict';
const { apply, ownKeys, defineProperty, getOwnPropertyDescriptor, getPrototypeOf } = Reflect;
const PromiseHere = Promise, promiseThen = Promise.prototype.then, ErrorHere = Error, Bytes = Uint8Array;
const isArray = Array.isArray, isView = ArrayBuffer.isView, freeze = Object.freeze, objectKeys = Object.keys;
const viewName = getOwnPropertyDescriptor(getPrototypeOf(Bytes.prototype), Symbol.toStringTag).get;
const byteLength = getOwnPropertyDescriptor(getPrototypeOf(Bytes.prototype), 'byteLength').get;
const MOST_BIGINT = 2n ** 64n;
const textSlice = String.prototype.slice, toText = String;
const MOST_DEPTH = 16, MOST_NODES = 100000, MOST_BYTES = 33554432;

const KEPT = { __proto__: null };
for (const name of ['Object', 'Function', 'Array', 'Number', 'parseFloat', 'parseInt', 'Infinity', 'NaN', 'undefined',
  'Boolean', 'String', 'Symbol', 'Promise', 'RegExp', 'Error', 'AggregateError', 'EvalError', 'RangeError',
  'ReferenceError', 'SyntaxError', 'TypeError', 'URIError', 'SuppressedError', 'globalThis', 'JSON', 'Math',
  'ArrayBuffer', 'Uint8Array', 'Int8Array', 'Uint16Array', 'Int16Array', 'Uint32Array', 'Int32Array',
  'BigUint64Array', 'BigInt64Array', 'Uint8ClampedArray', 'Float16Array', 'Float32Array', 'Float64Array', 'DataView',
  'Map', 'BigInt', 'Set', 'Iterator', 'WeakMap', 'WeakSet', 'Proxy', 'Reflect', 'decodeURI', 'decodeURIComponent',
  'encodeURI', 'encodeURIComponent', 'isFinite', 'isNaN', 'DisposableStack', 'AsyncDisposableStack']) KEPT[name] = true;

function put(target, key, value) {
  defineProperty(target, key, { __proto__: null, value, enumerable: true, writable: true, configurable: true });
}
function copyIn(value) {
  if (typeof value !== 'object' || value === null) {
    if (typeof value === 'function' || typeof value === 'symbol' || typeof value === 'undefined') throw new ErrorHere('no data');
    return value;
  }
  if (isView(value)) return new Bytes(value);
  if (isArray(value)) {
    const items = [];
    for (let index = 0; index < value.length; index++) put(items, index, copyIn(value[index]));
    return items;
  }
  const record = {};
  const keys = objectKeys(value);
  for (let index = 0; index < keys.length; index++) put(record, keys[index], copyIn(value[keys[index]]));
  return record;
}
function refusal(why) {
  const error = new ErrorHere('A value ' + why + ' and cannot cross a port.');
  put(error, 'code', 'NotPlainData');
  put(error, 'rule', 'plain data only');
  return error;
}
function weigh(state, size) {
  // One buffer or text named a thousand times is a thousand copies on the other side.
  state.bytes += size;
  if (!(state.bytes <= MOST_BYTES)) throw refusal('is too large');
}
function copyOut(value, state, depth) {
  if (++state.nodes > MOST_NODES) throw refusal('has too many parts');
  switch (typeof value) {
    case 'boolean': case 'number': return value;
    case 'bigint': if (value < -MOST_BIGINT || value > MOST_BIGINT) throw refusal('is too large'); return value;
    case 'string': weigh(state, value.length); return value;
    case 'object': break;
    default: throw refusal('is of type ' + typeof value);
  }
  if (value === null) return null;
  if (depth >= MOST_DEPTH) throw refusal('is nested too deeply');
  if (isView(value)) {
    if (apply(viewName, value, []) !== 'Uint8Array') throw refusal('is a view other than Uint8Array');
    weigh(state, apply(byteLength, value, []));
    return new Bytes(value);
  }
  if (isArray(value)) {
    const items = [];
    for (let index = 0; index < value.length; index++) put(items, index, copyOut(value[index], state, depth + 1));
    return items;
  }
  const prototype = getPrototypeOf(value);
  if (prototype !== null && getPrototypeOf(prototype) !== null) throw refusal('is no plain record');
  const record = { __proto__: null };
  const keys = objectKeys(value);
  for (let index = 0; index < keys.length; index++) {
    weigh(state, keys[index].length);
    put(record, keys[index], copyOut(value[keys[index]], state, depth + 1));
  }
  return record;
}
function textOf(value, most) {
  return typeof value === 'string' ? apply(textSlice, value, [0, most]) : null;
}
function problemOf(error) {
  const problem = { __proto__: null, code: null, message: null, field: null, rule: null, detail: null };
  try {
    if (typeof error === 'object' && error !== null) {
      problem.code = textOf(error.code, 64);
      problem.message = textOf(error.message, 1000);
      problem.field = textOf(error.field, 200);
      problem.rule = textOf(error.rule, 200);
      problem.detail = textOf(error.stack, 2000);
    } else if (typeof error !== 'symbol') problem.detail = textOf(toText(error), 2000);
  } catch { /* An error that throws when it is read has nothing to say. */ }
  return problem;
}
function errorOf(problem) {
  const error = new ErrorHere(toText(problem.message));
  put(error, 'code', toText(problem.code));
  if (typeof problem.field === 'string') put(error, 'field', problem.field);
  if (typeof problem.rule === 'string') put(error, 'rule', problem.rule);
  return error;
}
const lost = { __proto__: null, code: 'Internal', message: 'The wiring of this port failed.' };

return function connect(hostCall, hostSleep, hostNow, hostMonotonic, hostLog, portNames, mayCompile) {
  let handler = null;
  const ports = {};
  for (let index = 0; index < portNames.length; index++) {
    const name = portNames[index];
    put(ports, name, freeze({
      call(method, ...args) {
        return new PromiseHere((resolve, reject) => {
          const copied = copyOut(args, { nodes: 0, bytes: 0 }, 0);
          if (typeof method !== 'string') throw refusal('is no method name');
          try {
            hostCall(name, method, copied, (isAnswer, value) => {
              try { if (isAnswer) resolve(copyIn(value)); else reject(errorOf(value)); } catch { reject(errorOf(lost)); }
            });
          } catch { reject(errorOf(lost)); }
        });
      },
    }));
  }
  const number = (read) => () => { try { return +read(); } catch { throw errorOf(lost); } };
  const handle = freeze({
    clock: freeze({
      now: number(hostNow),
      monotonic: number(hostMonotonic),
      sleep(milliseconds) {
        return new PromiseHere((resolve, reject) => {
          const time = +milliseconds;
          try { hostSleep(time, () => { resolve(); }); } catch { reject(errorOf(lost)); }
        });
      },
    }),
    log(line) {
      const text = textOf(line, 1000);
      if (text !== null) { try { hostLog(text); } catch { throw errorOf(lost); } }
    },
    ports: freeze(ports),
    serve(given) {
      if (typeof given !== 'function') throw new ErrorHere('serve takes a function.');
      if (handler !== null) throw new ErrorHere('A stage serves once.');
      handler = given;
    },
  });
  function settle(promise, done) {
    const answer = (isAnswer, value) => { try { done(isAnswer, value); } catch { /* The host is gone. */ } };
    apply(promiseThen, promise, [
      (value) => {
        let copied;
        try { copied = copyOut(value, { nodes: 0, bytes: 0 }, 0); } catch (error) { answer(false, problemOf(error)); return; }
        answer(true, copied);
      },
      (error) => { answer(false, problemOf(error)); },
    ]);
  }

  // The world of the bundle from here on.
  const kept = mayCompile ? { __proto__: KEPT, WebAssembly: true } : KEPT;
  for (const name of ownKeys(globalThis)) {
    if (typeof name !== 'string' || kept[name]) continue;
    if (!delete globalThis[name]) throw new ErrorHere('The global ' + name + ' cannot be taken away.');
  }
  delete Math.random;
  if (mayCompile) { delete WebAssembly.compileStreaming; delete WebAssembly.instantiateStreaming; }
  defineProperty(ErrorHere, 'prepareStackTrace', { __proto__: null, value: undefined, writable: false, configurable: false });
  defineProperty(globalThis, 'Error', { __proto__: null, value: ErrorHere, writable: false, configurable: false });

  return {
    __proto__: null,
    describe: problemOf,
    start(done) {
      settle(new PromiseHere((resolve) => {
        const stage = globalThis.stage;
        if (typeof stage !== 'object' || stage === null || typeof stage.start !== 'function') {
          throw new ErrorHere('The bundle does not assign globalThis.stage = { start }.');
        }
        resolve(new PromiseHere((started) => { started(stage.start(handle)); }).then(() => null));
      }), done);
    },
    call(caller, method, args, done) {
      settle(new PromiseHere((resolve) => {
        if (handler === null) {
          const error = new ErrorHere('This stage does not serve yet.');
          put(error, 'code', 'NotServing');
          throw error;
        }
        resolve(handler(caller, method, copyIn(args)));
      }), done);
    },
  };
};
})()`;
