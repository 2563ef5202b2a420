import {
  BUS_MASTERS,
  BUS_REGION_NAMES,
  KERNEL_HARDWARE_CALLS,
  MONITOR_HARDWARE_CALLS,
  RESET_REASONS,
  booleanArgument,
  bytesArgument,
  choiceArgument,
  listArgument,
  recordArgument,
  serveCalls,
  uintArgument,
  type CallImplementation,
  type Clock,
  type PortHandler,
  type PortValue,
  type ResetReason,
} from '@sevenfold/formats';
import type { Chip } from './chip.ts';
import { runTransaction } from './bus-transaction.ts';
import { realTimeCoreCalls } from './cores/core-calls.ts';
import { LINE_REGIONS } from './peripherals/interrupts.ts';
import { MESSAGE, anyCaller, selectionOf, starts, type StartStage } from './port-helpers.ts';
import type { RomHandover } from './rom.ts';
import { WATCHDOG_MOST } from './watchdog.ts';

/** Stopped accesses that the secure world is told one by one. */
const MOST_FAULTS = 16;

/** What the board does for the secure world. */
export interface SecureWorldBoard {
  readonly clock: Clock;
  /** Resets the whole device; what was running is gone before this returns control to it. */
  reset(reason: ResetReason): void;
  startStage: StartStage;
}

/** `MONITOR_HARDWARE_CALLS`: the secure world's side of the bus. */
export function secureWorldHardware(chip: Chip, handover: RomHandover, board: SecureWorldBoard): PortHandler {
  const { bus } = chip;
  return serveCalls(MONITOR_HARDWARE_CALLS, anyCaller, {
    bootSelection: () => selectionOf(chip, handover),
    readFlash: ([offset, length]) =>
      bus.readFlash('secure', uintArgument(offset, 'offset'), uintArgument(length, 'length')),
    programFlash: ([offset, bytes]) => {
      bus.programFlash('secure', uintArgument(offset, 'offset'), bytesArgument(bytes, 'bytes', MESSAGE));
      return null;
    },
    eraseFlash: ([offset, length]) => {
      bus.eraseFlash('secure', uintArgument(offset, 'offset'), uintArgument(length, 'length'));
      return null;
    },
    configureFirewall: ([rules]) => {
      bus.check('secure', 'write', 'firewall');
      bus.firewall.configure(
        listArgument(rules, 'rules', 256, (rule, field) => {
          const fields = recordArgument(rule, field, ['master', 'region', 'read', 'write', 'execute']);
          return {
            master: choiceArgument(fields.master, `${field}.master`, BUS_MASTERS),
            region: choiceArgument(fields.region, `${field}.region`, BUS_REGION_NAMES),
            read: booleanArgument(fields.read, `${field}.read`),
            write: booleanArgument(fields.write, `${field}.write`),
            execute: booleanArgument(fields.execute, `${field}.execute`),
          };
        }),
      );
      return null;
    },
    busFaults: () => ({
      count: bus.firewall.violationCount,
      newest: bus.firewall.violations.slice(-MOST_FAULTS).map((violation) => ({ ...violation })),
    }),
    lockFirewall: () => {
      bus.check('secure', 'write', 'firewall');
      bus.firewall.lock();
      return null;
    },
    setWatchdog: ([milliseconds]) => {
      bus.check('secure', 'write', 'watchdog');
      chip.watchdog.set(uintArgument(milliseconds, 'milliseconds', { max: WATCHDOG_MOST }), board.clock, () =>
        board.reset('Watchdog'),
      );
      return null;
    },
    reset: ([reason]) => {
      board.reset(choiceArgument(reason, 'reason', RESET_REASONS));
      // The reset line is low: whoever pulled it gets no answer any more.
      return new Promise(() => {});
    },
    startStage: (args, caller) => {
      bus.check('normal', 'execute', 'normalRam');
      return starts('kernel', board.startStage)(args, caller);
    },
    ...realTimeCoreCalls(chip),
  });
}

/** What the board does for the normal world: everything that is no register on the bus. */
export interface NormalWorldBoard {
  readonly clock: Clock;
  network(method: string, args: readonly PortValue[]): Promise<PortValue>;
  setTime(milliseconds: number): void;
  startStage: StartStage;
  startCompartment(id: number, program: Uint8Array, module: Uint8Array, options: PortValue): Promise<void>;
  stopCompartment(id: number): Promise<void>;
  compartmentCpuTime(id: number): Promise<number | null>;
}

/** `KERNEL_HARDWARE_CALLS`: the normal world's side of the bus, and the board's network and threads. */
export function normalWorldHardware(chip: Chip, board: NormalWorldBoard): PortHandler {
  const { bus } = chip;
  const network = (method: string): CallImplementation => {
    return (args) => {
      bus.check('normal', 'write', 'network');
      return board.network(method, args);
    };
  };
  return serveCalls(KERNEL_HARDWARE_CALLS, anyCaller, {
    bus: ([operations]) => runTransaction(bus, 'normal', operations, board.clock),
    tlsConnect: network('tlsConnect'),
    tlsRead: network('tlsRead'),
    tlsWrite: network('tlsWrite'),
    tlsClose: network('tlsClose'),
    tlsExporter: network('tlsExporter'),
    tlsProtocol: network('tlsProtocol'),
    tlsListen: network('tlsListen'),
    tlsAccept: network('tlsAccept'),
    tlsRenew: network('tlsRenew'),
    tlsUnlisten: network('tlsUnlisten'),
    http2Request: network('http2Request'),
    http2Head: network('http2Head'),
    http2Read: network('http2Read'),
    http2Close: network('http2Close'),
    resolveName: network('resolveName'),
    tcpConnect: network('tcpConnect'),
    tcpConnectHost: network('tcpConnectHost'),
    tcpListen: network('tcpListen'),
    tcpAccept: network('tcpAccept'),
    tcpRead: network('tcpRead'),
    tcpWrite: network('tcpWrite'),
    tcpShutdown: network('tcpShutdown'),
    udpOpen: network('udpOpen'),
    udpSend: network('udpSend'),
    udpReceive: network('udpReceive'),
    socketClose: network('socketClose'),
    radioScan: network('radioScan'),
    radioJoin: network('radioJoin'),
    radioLeave: network('radioLeave'),
    linkSet: network('linkSet'),
    httpsOpen: network('httpsOpen'),
    httpsExporter: network('httpsExporter'),
    httpsRequest: network('httpsRequest'),
    httpsClose: network('httpsClose'),
    setTime: ([milliseconds]) => {
      board.setTime(uintArgument(milliseconds, 'milliseconds', { max: 8.64e15 }));
      return null;
    },
    startStage: (args, caller) => {
      bus.check('normal', 'execute', 'normalRam');
      return starts('services', board.startStage)(args, caller);
    },
    startCompartment: async ([id, program, module, options]) => {
      bus.check('normal', 'execute', 'normalRam');
      const optionsOrNull = options ?? null;
      await board.startCompartment(
        uintArgument(id, 'id'),
        bytesArgument(program, 'program', MESSAGE),
        bytesArgument(module, 'module', MESSAGE),
        optionsOrNull,
      );
      return null;
    },
    compartmentCpuTime: ([id]) => board.compartmentCpuTime(uintArgument(id, 'id')),
    stopCompartment: async ([id]) => {
      await board.stopCompartment(uintArgument(id, 'id'));
      return null;
    },
  });
}

/**
 * Tells the normal world of interrupts of peripherals that it may read: each line that is high, one message at a time.
 * `deliver` resolves when the kernel has come round; what is still high then is told again, a millisecond later, so
 * that a kernel that does nothing about it holds nobody else up. Gives the function that ends it.
 */
export function deliverInterrupts(
  chip: Chip,
  clock: Clock,
  deliver: (lines: readonly number[]) => Promise<void>,
): () => void {
  const state = { isDelivering: false, isOver: false };
  const highLines = (): number[] =>
    [...LINE_REGIONS]
      .filter(
        ([line, region]) =>
          chip.interrupts.isHigh(line) && chip.bus.firewall.allows('normal', 'read', region),
      )
      .map(([line]) => line);
  const run = async (): Promise<void> => {
    if (state.isDelivering) return;
    state.isDelivering = true;
    try {
      for (let lines = highLines(); lines.length > 0 && !state.isOver; lines = highLines()) {
        await deliver(lines);
        if (highLines().length > 0) await clock.sleep(1);
      }
    } catch {
      // There is no kernel to hear it, or it has ended: so has everything that could be waiting for the line.
      state.isOver = true;
    }
    state.isDelivering = false;
  };
  const detach = chip.interrupts.onChange((_line, isHigh) => {
    if (isHigh && !state.isOver) void run();
  });
  return () => {
    state.isOver = true;
    detach();
  };
}
