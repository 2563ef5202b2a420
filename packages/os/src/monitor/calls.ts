import {
  CAPABILITY_COMPONENT_ID,
  FLASH_MAP,
  IMAGE_TYPES,
  MONITOR_CALLS,
  NORMAL_WORLD_COUNTERS,
  SYSTEM_IMAGE_FILES,
  bytesArgument,
  choiceArgument,
  isGuid,
  listArgument,
  recordArgument,
  serveCalls,
  textArgument,
  toProblem,
  uintArgument,
  PortError,
  type BootReport,
  type CallImplementation,
  type Port,
  type PortHandler,
  type PortValue,
} from '@sevenfold/formats';
import { verifyStage, type BootChain } from './boot-chain.ts';
import { MonitorError } from './errors.ts';
import type { Images } from './images.ts';
import { MOST_MUTABLE, type MutableStorage } from './mutable.ts';
import { serially, type PlutonPort } from './ports.ts';
import { MOST_RECORD, type RecordLog } from './records.ts';
import type { BootFacts, Slots } from './slots.ts';
import { MOST_STAGINGS, type Stagings } from './staging.ts';

/** What the monitor answers from. */
export interface MonitorState {
  readonly hardware: Port;
  readonly pluton: PlutonPort;
  readonly boot: BootFacts;
  readonly report: BootReport;
  readonly chain: BootChain;
  readonly slots: Slots;
  readonly stagings: Stagings;
  readonly images: Images;
  readonly records: RecordLog;
  readonly mutable: MutableStorage;
  /** What this device is unlocked for until reset. */
  readonly capabilities: readonly string[];
  /** Content of the UpdateCertStore, and the compartment program of the running kernel image. */
  readonly certStore: Uint8Array;
  readonly compartmentProgram: Uint8Array;
  readonly log: (line: string) => void;
}

const STAGING = { max: 0xffffffff } as const;
const MOST_IDS = 1024;
const WATCHDOG = { min: 1, max: 600_000 } as const;

function componentId(untrusted: PortValue | undefined, field = 'componentId'): string {
  const text = textArgument(untrusted, field, 36);
  if (!isGuid(text))
    throw new PortError('BadArgument', `${field} must be a GUID in lower case.`, { field, rule: 'a GUID' });
  return text;
}

/** Whose sealed bytes these are: whatever the normal world says, they are the normal world's. */
const ownerOf = (label: PortValue | undefined): string => `normal world/${textArgument(label, 'label', 64)}`;

/** Nothing that was counted before an update can be undone after it. What keeps that from being done is no reason to fail. */
async function anchorCounters({ pluton, log }: MonitorState): Promise<void> {
  await pluton.port.call('anchorCounters').catch((error: unknown) => {
    log(`the counters are not anchored: ${toProblem(error).message}`);
  });
}

const stagingId = (untrusted: PortValue | undefined): number => uintArgument(untrusted, 'stagingId', STAGING);

/**
 * The Security Monitor's whole interface: `MONITOR_CALLS`, for the kernel alone. The kernel counts as hostile: every
 * argument is checked for its shape here, and what changes flash happens one call after the other.
 */
export function serveMonitor(state: MonitorState): PortHandler {
  const { hardware, pluton, slots, stagings, images, records, mutable } = state;
  const inOrder = serially();
  const ordered =
    (work: CallImplementation): CallImplementation =>
    (args, caller) =>
      inOrder(async () => work(args, caller));
  const toPluton =
    (method: string): CallImplementation =>
    (args) =>
      pluton.port.call(method, ...args);

  const answer = serveCalls(MONITOR_CALLS, (caller) => caller === 'kernel', {
    identity: toPluton('identity'),
    bootInfo: async () => ({
      busFaults: await hardware.call('busFaults'),
      resetReason: state.boot.resetReason,
      trial: slots.isTrial,
      stages: state.report.stages,
      failures: state.report.failures,
      fellBack: slots.fellBack === null ? null : { imageIds: [...(slots.left[0] ?? [])] },
      left: slots.left.map((imageIds) => [...imageIds]),
      capabilities: state.capabilities,
    }),
    loadServices: ordered(async () => {
      const services = await verifyStage(state.chain, 'Services');
      await slots.raiseSecurityVersions(pluton);
      return services.file(SYSTEM_IMAGE_FILES.bundle);
    }),
    loadCertStore: () => state.certStore,
    loadCompartmentProgram: () => state.compartmentProgram,
    listImages: ordered(() => images.list()),
    loadApplication: ordered(([component]) => images.loadApplication(componentId(component))),

    stageBegin: ordered(([untrusted]) => {
      const fields = recordArgument(untrusted, 'image', [
        'imageType',
        'componentId',
        'imageId',
        'size',
        'digest',
      ]);
      return stagings.begin({
        imageType: uintArgument(fields.imageType, 'imageType', { max: 0xffff }),
        componentId: componentId(fields.componentId),
        imageId: componentId(fields.imageId, 'imageId'),
        size: uintArgument(fields.size, 'size', { min: 1, max: 0xffffffff }),
        digest: bytesArgument(fields.digest, 'digest', { length: 32 }),
      });
    }),
    stageWrite: ordered(async ([id, offset, bytes]) => {
      await stagings.write(
        stagingId(id),
        uintArgument(offset, 'offset'),
        bytesArgument(bytes, 'bytes', { max: 65_536 }),
      );
      return null;
    }),
    stageFinish: ordered(async ([id]) => {
      await stagings.finish(stagingId(id));
      return null;
    }),
    stageAbort: ordered(([id]) => {
      stagings.abort(stagingId(id));
      return null;
    }),
    commit: ordered(async ([untrustedIds, untrustedRemoved]) => {
      const ids = listArgument(untrustedIds, 'stagingIds', MOST_STAGINGS, (id) => stagingId(id));
      const removed = listArgument(
        untrustedRemoved,
        'removeComponentIds',
        FLASH_MAP.applications.most,
        componentId,
      );
      const next = stagings.committable(ids);
      const restartRequired = await slots.commit(next, removed, await images.requireFit(next));
      stagings.forget(ids);
      return { restartRequired };
    }),
    confirmHealthy: ordered(async () => {
      const wasTrial = slots.isTrial;
      await slots.confirmHealthy();
      await slots.raiseSecurityVersions(pluton);
      if (wasTrial) await anchorCounters(state);
      if (wasTrial) state.log('confirmed healthy: the trial is over');
      return null;
    }),
    restart: ordered(() => hardware.call('reset', 'Restart')),

    recordAppend: ordered(([record]) =>
      records.append(bytesArgument(record, 'record', { max: MOST_RECORD })),
    ),
    recordList: ordered(([most]) => records.list(uintArgument(most, 'most', { max: MOST_IDS }))),
    recordRemove: ordered(async ([ids]) => {
      await records.remove(
        listArgument(ids, 'ids', MOST_IDS, (id, field) => uintArgument(id, field, STAGING)),
      );
      return null;
    }),
    mutableRead: ordered(([component]) => mutable.read(componentId(component))),
    mutableWrite: ordered(async ([component, untrusted]) => {
      const id = componentId(component);
      if (untrusted === null) return mutable.delete(id);
      const bytes = bytesArgument(untrusted, 'bytes', { max: MOST_MUTABLE });
      // Kept only if it would hold at the next boot, where it is asked again.
      if (id === CAPABILITY_COMPONENT_ID) await pluton.openCapability(bytes, false);
      return mutable.write(id, bytes);
    }),

    watchdogKick: ([milliseconds]) =>
      hardware.call('setWatchdog', uintArgument(milliseconds, 'milliseconds', WATCHDOG)),
    attest: toPluton('attest'),
    verifySigned: ([use, ...rest]) =>
      pluton.port.call('verifySigned', choiceArgument(use, 'use', ['plan']), ...rest),
    createSessionKey: toPluton('createSessionKey'),
    signWithSessionKey: toPluton('signWithSessionKey'),
    exportSessionKey: toPluton('exportSessionKey'),
    seal: ([policy, label, bytes]) => pluton.port.call('seal', policy ?? null, ownerOf(label), bytes ?? null),
    unseal: ([label, box]) => pluton.port.call('unseal', ownerOf(label), box ?? null),
    counter: ([name, increment]) =>
      pluton.port.call('counter', choiceArgument(name, 'name', NORMAL_WORLD_COUNTERS), increment ?? null),
    sha256: toPluton('sha256'),
    random: ([length]) => pluton.port.call('random', length ?? null, false),
  });
  return async (caller, method, args) => {
    const row: { readonly when: string } | undefined = Object.hasOwn(MONITOR_CALLS, method)
      ? MONITOR_CALLS[method as keyof typeof MONITOR_CALLS]
      : undefined;
    if (caller === 'kernel' && row?.when === 'settled') slots.requireSettled();
    if (caller === 'kernel' && row?.when === 'running') requireRunning(state.report);
    return answer(caller, method, args);
  };
}

/** What speaks in the name of everything that runs waits until all of that is measured. */
function requireRunning({ stages }: BootReport): void {
  if (stages.some(({ imageType }) => imageType === IMAGE_TYPES.Services)) return;
  throw new MonitorError('NotRunning', 'The OS services are not measured yet.', {
    rule: 'loadServices first',
  });
}
