import { describe, expect, it } from 'vitest';
import { IMAGE_TYPES } from '../abi/image-types.ts';
import { fromHex, toHex } from '../bytes.ts';
import { type CborValue, decodeCbor, encodeCbor } from '../cbor.ts';
import { FormatError } from '../errors.ts';
import { codeOf, strictnessSuite } from '../testing/strictness.ts';
import { utf8Encode } from '../utf8.ts';
import {
  attestationChallengeInput,
  type AttestReply,
  type AttestRequest,
  decodeAttestReply,
  decodeAttestRequest,
  decodeChallengeReply,
  encodeAttestReply,
  encodeAttestRequest,
  encodeChallengeReply,
} from './attest.ts';
import { DEVICE_LIMITS, DEVICE_PATHS, devicePathOfImage } from './endpoints.ts';
import {
  decodePlanPayload,
  decodePlanRequest,
  encodePlanPayload,
  encodePlanRequest,
  type PlanPayload,
  type PlanRequest,
} from './plan.ts';
import { decodeDeviceProblem, encodeDeviceProblem } from './problem.ts';
import {
  decodeErrorReport,
  decodeReportBatch,
  decodeReportReply,
  encodeErrorReport,
  encodeReportBatch,
  encodeReportReply,
  type ErrorReport,
  fitErrorReport,
} from './reports.ts';

const filled = (length: number, byte: number): Uint8Array => new Uint8Array(length).fill(byte);
const COMPONENT = '2f074b0f-d99d-4692-82d9-ef93a7d6463c';
const IMAGE = '6415a939-c098-48cf-8e5c-02b52a9f0ffb';
const DEVICE = 'ab'.repeat(32);

const ATTEST: AttestRequest = {
  token: filled(300, 1),
  clientKey: { spki: filled(91, 2), proof: filled(64, 3) },
  updateKey: { spki: filled(91, 4), proof: filled(64, 5) },
};
const REPLY: AttestReply = {
  verdict: 'trusted',
  reasons: ['Every stage is as published in release 26.11.0.'],
  deviceId: DEVICE,
  tenantId: COMPONENT,
  updateChain: [filled(400, 6), filled(400, 7)],
  clientChain: [filled(400, 8)],
  time: 1_800_000_000,
  nextCheck: 3600,
  requiredRelease: null,
};
const PLAN_REQUEST: PlanRequest = {
  nonce: filled(32, 9),
  images: [
    { imageType: IMAGE_TYPES.Services, componentId: COMPONENT, imageId: IMAGE, digest: filled(32, 10) },
  ],
  osVersion: '26.11.0',
  failures: ['NormalWorldKernel slot A: BadSignature'],
};
const PLAN: PlanPayload = {
  nonce: filled(32, 9),
  deviceId: DEVICE,
  issuedAt: 1_800_000_000,
  nextCheck: 600,
  release: '26.11.0',
  images: [
    {
      imageType: IMAGE_TYPES.Applications,
      componentId: COMPONENT,
      imageId: IMAGE,
      digest: filled(32, 11),
      size: 8192,
      name: 'blink',
    },
  ],
  removeComponents: [IMAGE],
};
const REPORT: ErrorReport = {
  reportId: filled(16, 12),
  kind: 'AppCrash',
  componentId: COMPONENT,
  imageId: IMAGE,
  osVersion: '26.11.0',
  time: 1_800_000_000,
  uptime: 3021,
  trap: 'memory access out of bounds',
  exitCode: null,
  frames: [{ function: 7, offset: 1234 }],
  log: ['LED on', 'storing sample 7'],
  count: 1,
};

/** The message with one entry changed, or taken away (`undefined`). */
function changed(encoded: Uint8Array, key: number, value: CborValue | undefined): Uint8Array {
  const map = new Map(decodeCbor(encoded) as ReadonlyMap<number, CborValue>);
  if (value === undefined) map.delete(key);
  else map.set(key, value);
  return encodeCbor(map);
}

function refusalOf(action: () => unknown): { code: string; field: string | undefined } {
  try {
    action();
  } catch (error) {
    if (error instanceof FormatError) return { code: error.code, field: error.field };
    throw error;
  }
  return { code: 'accepted', field: undefined };
}

describe('messages between device and service', () => {
  it('reads back what it wrote', () => {
    expect(decodeAttestRequest(encodeAttestRequest(ATTEST))).toEqual(ATTEST);
    const bound = { ...ATTEST, nonce: filled(32, 13) };
    expect(decodeAttestRequest(encodeAttestRequest(bound))).toEqual(bound);
    expect(decodeAttestReply(encodeAttestReply(REPLY))).toEqual(REPLY);
    const refused: AttestReply = {
      ...REPLY,
      verdict: 'revoked',
      tenantId: null,
      clientChain: null,
      requiredRelease: '26.12.0',
    };
    expect(decodeAttestReply(encodeAttestReply(refused))).toEqual(refused);
    expect(decodeChallengeReply(encodeChallengeReply({ nonce: filled(32, 1), lifetime: 60 })).lifetime).toBe(
      60,
    );
    expect(decodePlanRequest(encodePlanRequest(PLAN_REQUEST))).toEqual(PLAN_REQUEST);
    expect(decodePlanPayload(encodePlanPayload(PLAN))).toEqual(PLAN);
    expect(decodeErrorReport(encodeErrorReport(REPORT))).toEqual(REPORT);
    expect(decodeReportBatch(encodeReportBatch({ reports: [REPORT, REPORT] }))).toEqual({
      reports: [REPORT, REPORT],
    });
    expect(decodeReportReply(encodeReportReply({ accepted: [REPORT.reportId] })).accepted).toEqual([
      REPORT.reportId,
    ]);
  });

  it('writes a plan request as docs/device-protocol.md shows it', () => {
    const image = `a4010902782432663037346230662d643939642d343639322d383264392d65663933613764363436336303782436343135613933392d633039382d343863662d386535632d303262353261396630666662045820${'0a'.repeat(32)}`;
    const failure = toHex(utf8Encode('NormalWorldKernel slot A: BadSignature'));
    expect(toHex(encodePlanRequest(PLAN_REQUEST))).toBe(
      `a4015820${'09'.repeat(32)}0281${image}036732362e31312e3004817826${failure}`,
    );
  });

  it('binds a challenge to its context, the connection and both keys', () => {
    const input = attestationChallengeInput(filled(32, 1), filled(32, 2), filled(32, 3));
    expect(toHex(input)).toBe(
      toHex(utf8Encode('sevenfold attestation v1')) + '01'.repeat(32) + '02'.repeat(32) + '03'.repeat(32),
    );
    expect(codeOf(() => attestationChallengeInput(filled(31, 1), filled(32, 2), filled(33, 3)))).toBe(
      'WrongLength',
    );
  });

  it('has one path for each image', () => {
    expect(devicePathOfImage(IMAGE)).toBe(`/device/v1/images/${IMAGE}`);
    expect(Object.values(DEVICE_PATHS).every((path) => path.startsWith('/device/v1/'))).toBe(true);
  });

  it.each<[string, (bytes: Uint8Array) => unknown, Uint8Array, string, string]>([
    [
      'a request without token',
      decodeAttestRequest,
      changed(encodeAttestRequest(ATTEST), 1, undefined),
      'MissingField',
      'token',
    ],
    [
      'an empty token',
      decodeAttestRequest,
      changed(encodeAttestRequest(ATTEST), 1, filled(0, 0)),
      'WrongLength',
      'token',
    ],
    [
      'a key without proof',
      decodeAttestRequest,
      changed(encodeAttestRequest(ATTEST), 2, new Map([[1, filled(91, 1)]])),
      'MissingField',
      'clientKey.proof',
    ],
    [
      'a proof in DER',
      decodeAttestRequest,
      changed(
        encodeAttestRequest(ATTEST),
        3,
        new Map([
          [1, filled(91, 1)],
          [2, filled(70, 1)],
        ]),
      ),
      'WrongLength',
      'updateKey.proof',
    ],
    [
      'a nonce of 31 bytes',
      decodeAttestRequest,
      changed(encodeAttestRequest(ATTEST), 4, filled(31, 0)),
      'WrongLength',
      'nonce',
    ],
    [
      'a field of the future',
      decodeAttestRequest,
      changed(encodeAttestRequest(ATTEST), 5, 0),
      'UnknownField',
      '5',
    ],
    [
      'an unknown verdict',
      decodeAttestReply,
      changed(encodeAttestReply(REPLY), 1, 'fine'),
      'ValueOutOfRange',
      'verdict',
    ],
    [
      'a device id in hexadecimal',
      decodeAttestReply,
      changed(encodeAttestReply(REPLY), 3, DEVICE),
      'WrongType',
      'deviceId',
    ],
    [
      'a tenant in capitals',
      decodeAttestReply,
      changed(encodeAttestReply(REPLY), 4, COMPONENT.toUpperCase()),
      'BadGuid',
      'tenantId',
    ],
    [
      'an empty chain',
      decodeAttestReply,
      changed(encodeAttestReply(REPLY), 5, []),
      'MissingField',
      'updateChain',
    ],
    [
      'a chain of five',
      decodeAttestReply,
      changed(
        encodeAttestReply(REPLY),
        6,
        Array.from({ length: 5 }, () => filled(1, 1)),
      ),
      'TooMany',
      'clientChain',
    ],
    [
      'a certificate too large',
      decodeAttestReply,
      changed(encodeAttestReply(REPLY), 5, [filled(5000, 1)]),
      'TooLong',
      'updateChain.0',
    ],
    [
      'a plan request with a name',
      decodePlanRequest,
      changed(encodePlanRequest(PLAN_REQUEST), 2, [new Map([[6, 'x']])]),
      'UnknownField',
      'images.0.6',
    ],
    [
      'a plan request of 65 images',
      decodePlanRequest,
      changed(
        encodePlanRequest(PLAN_REQUEST),
        2,
        Array.from({ length: 65 }, () => null),
      ),
      'TooMany',
      'images',
    ],
    [
      'an unknown image type',
      decodePlanPayload,
      changed(encodePlanPayload(PLAN), 6, [new Map([[1, 11]])]),
      'UnknownImageType',
      'images.0.imageType',
    ],
    [
      'an image of no bytes',
      decodePlanPayload,
      changed(encodePlanPayload(PLAN), 6, [
        new Map<number, CborValue>([
          [1, 10],
          [2, COMPONENT],
          [3, IMAGE],
          [4, filled(32, 1)],
          [5, 0],
          [6, 'n'],
        ]),
      ]),
      'ValueOutOfRange',
      'images.0.size',
    ],
    [
      'a report of an unknown kind',
      decodeErrorReport,
      changed(encodeErrorReport(REPORT), 2, 'AppBug'),
      'ValueOutOfRange',
      'kind',
    ],
    [
      'an exit code of 256',
      decodeErrorReport,
      changed(encodeErrorReport(REPORT), 9, 256),
      'ValueOutOfRange',
      'exitCode',
    ],
    [
      'a count of none',
      decodeErrorReport,
      changed(encodeErrorReport(REPORT), 12, 0),
      'ValueOutOfRange',
      'count',
    ],
    [
      '65 frames',
      decodeErrorReport,
      changed(
        encodeErrorReport(REPORT),
        10,
        Array.from({ length: 65 }, () => 0),
      ),
      'TooMany',
      'frames',
    ],
    ['a report that no record holds', decodeErrorReport, filled(3801, 0x40), 'CborTooLarge', ''],
    [
      'a batch of 51 reports',
      decodeReportBatch,
      encodeReportBatch({ reports: Array.from({ length: 51 }, () => REPORT) }),
      'TooMany',
      'reports',
    ],
    [
      'a bad report in a batch',
      decodeReportBatch,
      encodeReportBatch({ reports: [REPORT, { ...REPORT, exitCode: 999 }] }),
      'ValueOutOfRange',
      'reports.1.exitCode',
    ],
  ])('refuses %s and names the field', (_what, decode, bytes, code, field) => {
    expect(refusalOf(() => decode(bytes))).toEqual({ code, field: field === '' ? undefined : field });
  });

  it('refuses to send a device id that is none', () => {
    for (const deviceId of ['AB'.repeat(32), 'ab'.repeat(31), 'x']) {
      expect(codeOf(() => encodePlanPayload({ ...PLAN, deviceId }))).toMatch(/WrongLength|BadHex/);
    }
  });

  it('carries what a real-time core was, and as much of its stack as there is room for', () => {
    const core = {
      registers: Array.from({ length: 20 }, (_, index) => 0xffff_fff0 + (index & 15)),
      faults: [1, 2, 3, 0xdead_beef],
      stack: filled(2048, 7),
    };
    const report = { ...REPORT, core };
    expect(decodeErrorReport(encodeErrorReport(report))).toEqual(report);
    const fitted = fitErrorReport({ ...report, log: ['x'.repeat(900), 'y'.repeat(900), 'z'] }, 1500);
    expect(encodeErrorReport(fitted).length).toBeLessThanOrEqual(1500);
    expect(fitted).toMatchObject({ log: [], core: { registers: core.registers, stack: { length: 1024 } } });
    const cut = encodeErrorReport({ ...report, core: { ...core, stack: filled(2049, 7) } });
    expect(decodeErrorReport(cut).core?.stack.length).toBe(2048);
  });

  it('carries where an app’s stack and heap were, and as much of its stack as there is room for', () => {
    const memory = { stackPointer: 0x7f50, heapStart: 0x9010, size: 262_144, stack: filled(2048, 9) };
    const report = { ...REPORT, memory };
    expect(decodeErrorReport(encodeErrorReport(report))).toEqual(report);
    const silent = { ...memory, stackPointer: null, heapStart: null, stack: filled(0, 0) };
    expect(decodeErrorReport(encodeErrorReport({ ...report, memory: silent })).memory).toEqual(silent);
    const fitted = fitErrorReport(report, 1500);
    expect(encodeErrorReport(fitted).length).toBeLessThanOrEqual(1500);
    expect(fitted.memory).toMatchObject({ stackPointer: 0x7f50, stack: { length: 1024 } });
    const cut = encodeErrorReport({ ...report, memory: { ...memory, stack: filled(2049, 9) } });
    expect(decodeErrorReport(cut).memory?.stack.length).toBe(2048);
  });

  it('cuts a report down to what a record holds: oldest lines first, the innermost frames stay', () => {
    const flood = fitErrorReport({
      ...REPORT,
      frames: Array.from({ length: 200 }, (_, index) => ({ function: index, offset: index })),
      log: Array.from({ length: 100 }, (_, index) => `${index} ${'😀'.repeat(400)}\ud800`),
    });
    expect(encodeErrorReport(flood).length).toBeLessThanOrEqual(DEVICE_LIMITS.report);
    expect(decodeErrorReport(encodeErrorReport(flood))).toEqual(flood);
    expect(flood.frames).toHaveLength(64);
    expect(flood.log.at(-1)).toMatch(/^99 /);
    expect(fitErrorReport(REPORT)).toEqual(REPORT);
    expect(fitErrorReport(flood, 300).frames.length).toBeLessThan(64);
  });

  it('tells problems in the form of RFC 9290', () => {
    const problem = { code: 'TooMany', message: 'images has 65 items.', field: 'images', rule: 'at most 64' };
    const encoded = encodeDeviceProblem(problem);
    expect(decodeCbor(encoded)).toEqual(
      new Map<number | string, CborValue>([
        [-1, 'TooMany'],
        [-2, 'images has 65 items.'],
        [
          'urn:sevenfold:place',
          new Map([
            [1, 'images'],
            [2, 'at most 64'],
          ]),
        ],
      ]),
    );
    expect(decodeDeviceProblem(encoded)).toEqual(problem);
    const short = { code: 'Gone', message: 'm' };
    expect(decodeDeviceProblem(encodeDeviceProblem(short))).toEqual(short);
    expect(codeOf(() => decodeDeviceProblem(fromHex('a0')))).toBe('MissingField');
  });

  strictnessSuite({
    name: 'AttestRequest',
    samples: [encodeAttestRequest(ATTEST)],
    decode: decodeAttestRequest,
    encode: encodeAttestRequest,
  });
  strictnessSuite({
    name: 'AttestReply',
    samples: [encodeAttestReply({ ...REPLY, updateChain: [filled(9, 6)] })],
    decode: decodeAttestReply,
    encode: encodeAttestReply,
  });
  strictnessSuite({
    name: 'PlanRequest',
    samples: [encodePlanRequest(PLAN_REQUEST)],
    decode: decodePlanRequest,
    encode: encodePlanRequest,
  });
  strictnessSuite({
    name: 'PlanPayload',
    samples: [encodePlanPayload(PLAN)],
    decode: decodePlanPayload,
    encode: encodePlanPayload,
  });
  strictnessSuite({
    name: 'ReportBatch',
    samples: [
      encodeReportBatch({
        reports: [
          REPORT,
          {
            ...REPORT,
            core: {
              registers: Array.from({ length: 20 }, () => 7),
              faults: [1, 2, 3, 4],
              stack: filled(8, 1),
            },
          },
        ],
      }),
    ],
    decode: decodeReportBatch,
    encode: encodeReportBatch,
  });
  strictnessSuite({
    name: 'DeviceProblem',
    samples: [encodeDeviceProblem({ code: 'A', message: 'm', field: 'f', rule: 'r' })],
    decode: decodeDeviceProblem,
    encode: encodeDeviceProblem,
  });
});
