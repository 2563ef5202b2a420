import {
  CAPABILITY_COMPONENT_ID,
  IMAGE_TYPES,
  MONITOR_CALLS,
  SYSTEM_IMAGE_FILES,
  serveCalls,
  toProblem,
  type BootReport,
  type CallImplementation,
  type CallImplementations,
  type Port,
  type PortHandler,
} from '@sevenfold/formats';
import { verifyStage, type BootChain } from './boot-chain.ts';
import type { Cores } from './cores.ts';
import { MonitorError } from './errors.ts';
import type { Images } from './images.ts';
import type { MutableStorage } from './mutable.ts';
import { serially, type PlutonPort } from './ports.ts';
import type { RecordLog } from './records.ts';
import type { BootFacts, Slots } from './slots.ts';
import type { Stagings } from './staging.ts';

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
  readonly cores: Cores;
  readonly records: RecordLog;
  readonly mutable: MutableStorage;
  /** What this device is unlocked for until reset. */
  readonly capabilities: readonly string[];
  /** Content of the UpdateCertStore, and the compartment program of the running kernel image. */
  readonly certStore: Uint8Array;
  readonly compartmentProgram: Uint8Array;
  readonly log: (line: string) => void;
}

/** Whose sealed bytes these are: whatever the normal world says, they are the normal world's. */
const ownerOf = (label: string): string => `normal world/${label}`;

/** Nothing that was counted before an update can be undone after it. What keeps that from being done is no reason to fail. */
async function anchorCounters({ pluton, log }: MonitorState): Promise<void> {
  await pluton.port.call('anchorCounters').catch((error: unknown) => {
    log(`the counters are not anchored: ${toProblem(error).message}`);
  });
}

/**
 * The Security Monitor's whole interface: `MONITOR_CALLS`, for the kernel alone. The kernel counts as hostile: no call
 * sees arguments, or a state, that its row does not allow, and what changes flash happens one call after the other.
 */
export function serveMonitor(state: MonitorState): PortHandler {
  const { hardware, pluton, slots, stagings, images, records, mutable } = state;
  const inOrder = serially();
  const ordered =
    <Args extends readonly unknown[]>(work: CallImplementation<Args>): CallImplementation<Args> =>
    (args, caller) =>
      inOrder(async () => work(args, caller));
  const toPluton =
    (method: string): CallImplementation =>
    (args) =>
      pluton.port.call(method, ...args);
  const admit = (method: keyof typeof MONITOR_CALLS): void => {
    const { when } = MONITOR_CALLS[method];
    if (when === 'settled') slots.requireSettled();
    if (when === 'running') requireRunning(state.report);
  };
  const calls: CallImplementations<typeof MONITOR_CALLS> = {
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
      await images.renewBackups(state.log);
      return services.file(SYSTEM_IMAGE_FILES.bundle);
    }),
    loadFile: ([name]) => (name === 'certStore' ? state.certStore : state.compartmentProgram),
    listImages: ordered(() => images.list()),
    loadApplication: ordered(([component]) => images.loadApplication(component)),

    realTimeApp: ordered(([component, action]) => state.cores[action](component)),

    stageBegin: ordered(([image]) => stagings.begin(image)),
    stageWrite: ordered(async ([id, offset, bytes]) => {
      await stagings.write(id, offset, bytes);
      return null;
    }),
    stageFinish: ordered(async ([id]) => {
      await stagings.finish(id);
      return null;
    }),
    stageAbort: ordered(([id]) => {
      stagings.abort(id);
      return null;
    }),
    commit: ordered(async ([ids, removed]) => {
      const next = stagings.committable(ids);
      const restartRequired = await slots.commit(next, removed, await images.requireFit(next));
      stagings.forget(ids);
      return { restartRequired };
    }),
    confirmHealthy: ordered(async () => {
      const wasTrial = slots.isTrial;
      await slots.confirmHealthy();
      await slots.raiseSecurityVersions(pluton);
      if (wasTrial) await images.renewBackups(state.log);
      if (wasTrial) await anchorCounters(state);
      if (wasTrial) state.log('confirmed healthy: the trial is over');
      return null;
    }),
    restart: ordered(() => hardware.call('reset', 'Restart')),

    recordAppend: ordered(([record]) => records.append(record)),
    recordList: ordered(([most]) => records.list(most)),
    recordRemove: ordered(async ([ids]) => {
      await records.remove(ids);
      return null;
    }),
    mutableRead: ordered(([component]) => mutable.read(component)),
    mutableWrite: ordered(async ([component, bytes]) => {
      if (bytes === null) return mutable.delete(component);
      // Kept only if it would hold at the next boot, where it is asked again.
      if (component === CAPABILITY_COMPONENT_ID) await pluton.openCapability(bytes, false);
      return mutable.write(component, bytes);
    }),

    watchdogKick: ([milliseconds]) => hardware.call('setWatchdog', milliseconds),
    attest: toPluton('attest'),
    verifySigned: toPluton('verifySigned'),
    createSessionKey: toPluton('createSessionKey'),
    signWithSessionKey: toPluton('signWithSessionKey'),
    exportSessionKey: toPluton('exportSessionKey'),
    seal: ([policy, label, bytes]) => pluton.port.call('seal', policy, ownerOf(label), bytes),
    unseal: ([label, box]) => pluton.port.call('unseal', ownerOf(label), box),
    counter: toPluton('counter'),
    sha256: toPluton('sha256'),
    random: ([length]) => pluton.port.call('random', length, false),
  };
  return serveCalls(MONITOR_CALLS, (caller) => caller === 'kernel', calls, admit);
}

/** What speaks in the name of everything that runs waits until all of that is measured. */
function requireRunning({ stages }: BootReport): void {
  if (stages.some(({ imageType }) => imageType === IMAGE_TYPES.Services)) return;
  throw new MonitorError('NotRunning', 'The OS services are not measured yet.', {
    rule: 'loadServices first',
  });
}
