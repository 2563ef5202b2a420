import {
  KERNEL_HARDWARE_CALLS,
  MONITOR_HARDWARE_CALLS,
  booleanArgument,
  bytesArgument,
  choiceArgument,
  listArgument,
  recordArgument,
  serveCalls,
  textArgument,
  uintArgument,
  type CallImplementation,
  type Clock,
  type PortHandler,
  type PortValue,
} from '@sevenfold/formats';
import type { Chip } from './chip.ts';
import { SiliconError } from './errors.ts';
import { BUS_REGIONS, MASTERS, type BusRegion } from './firewall.ts';
import { MESSAGE, anyCaller, selectionOf, starts, type StartStage } from './port-helpers.ts';
import { GPIO_PINS, GPIO_REGISTERS } from './gpio.ts';
import type { RomHandover } from './rom.ts';
import { WATCHDOG_MOST } from './watchdog.ts';

const REGION_NAMES = Object.keys(BUS_REGIONS) as readonly BusRegion[];

/** What the board does for the secure world. */
export interface SecureWorldBoard {
  readonly clock: Clock;
  /** Resets the whole device; what was running is gone before this returns control to it. */
  reset(reason: string): void;
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
        listArgument(rules, 'rules', 128, (rule, field) => {
          const fields = recordArgument(rule, field, ['master', 'region', 'read', 'write']);
          return {
            master: choiceArgument(fields.master, `${field}.master`, MASTERS),
            region: choiceArgument(fields.region, `${field}.region`, REGION_NAMES),
            read: booleanArgument(fields.read, `${field}.read`),
            write: booleanArgument(fields.write, `${field}.write`),
          };
        }),
      );
      return null;
    },
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
      board.reset(textArgument(reason, 'reason', 64));
      // The reset line is low: whoever pulled it gets no answer any more.
      return new Promise(() => {});
    },
    startStage: starts('kernel', board.startStage),
  });
}

/** What the board does for the normal world: everything that is no register on the bus. */
export interface NormalWorldBoard {
  network(method: string, args: readonly PortValue[]): Promise<PortValue>;
  setTime(milliseconds: number): void;
  startStage: StartStage;
  startCompartment(id: number, program: Uint8Array, module: Uint8Array, options: PortValue): Promise<void>;
  stopCompartment(id: number): Promise<void>;
}

/** `KERNEL_HARDWARE_CALLS`: the normal world's side of the bus, and the board's network and threads. */
export function normalWorldHardware(chip: Chip, board: NormalWorldBoard): PortHandler {
  const { bus } = chip;
  const open = new Map<number, 'input' | 'output'>();
  const network = (method: string): CallImplementation => {
    return (args) => {
      bus.check('normal', 'write', 'network');
      return board.network(method, args);
    };
  };
  const pinOf = (untrusted: PortValue | undefined): number =>
    uintArgument(untrusted, 'pin', { max: GPIO_PINS - 1 });
  const openPin = (untrusted: PortValue | undefined): number => {
    const pin = pinOf(untrusted);
    if (!open.has(pin)) throw new SiliconError('PinNotOpen', `GPIO ${pin} is not open.`, { field: 'pin' });
    return pin;
  };
  const register = (pin: number, name: keyof typeof GPIO_REGISTERS): number =>
    (pin >> 5) * 0x20 + GPIO_REGISTERS[name];
  const drive = (pin: number, level: number): void =>
    bus.writeRegister(
      'normal',
      'gpio',
      register(pin, level === 1 ? 'DOUT_SET' : 'DOUT_CLEAR'),
      1 << (pin & 31),
    );
  const enableOutput = (pin: number, isOutput: boolean): void => {
    const enabled = bus.readRegister('normal', 'gpio', register(pin, 'OE'));
    const bit = 1 << (pin & 31);
    bus.writeRegister('normal', 'gpio', register(pin, 'OE'), isOutput ? enabled | bit : enabled & ~bit);
  };
  return serveCalls(KERNEL_HARDWARE_CALLS, anyCaller, {
    gpioOpen: ([untrustedPin, untrustedDirection, initial]) => {
      const pin = pinOf(untrustedPin);
      const direction = choiceArgument(untrustedDirection, 'direction', ['input', 'output'] as const);
      const level = uintArgument(initial, 'initial', { max: 1 });
      if (open.has(pin)) throw new SiliconError('PinInUse', `GPIO ${pin} is open already.`, { field: 'pin' });
      // The level first, so that the pin never shows another one.
      drive(pin, level);
      enableOutput(pin, direction === 'output');
      open.set(pin, direction);
      return null;
    },
    gpioWrite: ([untrustedPin, untrustedLevel]) => {
      const pin = openPin(untrustedPin);
      drive(pin, uintArgument(untrustedLevel, 'level', { max: 1 }));
      return null;
    },
    gpioRead: ([untrustedPin]) => {
      const pin = openPin(untrustedPin);
      return (bus.readRegister('normal', 'gpio', register(pin, 'DIN')) >>> (pin & 31)) & 1;
    },
    gpioClose: ([untrustedPin]) => {
      const pin = openPin(untrustedPin);
      open.delete(pin);
      enableOutput(pin, false);
      return null;
    },
    tlsConnect: network('tlsConnect'),
    tlsRead: network('tlsRead'),
    tlsWrite: network('tlsWrite'),
    tlsClose: network('tlsClose'),
    tlsExporter: network('tlsExporter'),
    resolveName: network('resolveName'),
    tcpConnect: network('tcpConnect'),
    tcpListen: network('tcpListen'),
    tcpAccept: network('tcpAccept'),
    tcpRead: network('tcpRead'),
    tcpWrite: network('tcpWrite'),
    tcpShutdown: network('tcpShutdown'),
    udpOpen: network('udpOpen'),
    udpSend: network('udpSend'),
    udpReceive: network('udpReceive'),
    socketClose: network('socketClose'),
    httpsOpen: network('httpsOpen'),
    httpsExporter: network('httpsExporter'),
    httpsRequest: network('httpsRequest'),
    httpsClose: network('httpsClose'),
    setTime: ([milliseconds]) => {
      board.setTime(uintArgument(milliseconds, 'milliseconds', { max: 8.64e15 }));
      return null;
    },
    startStage: starts('services', board.startStage),
    startCompartment: async ([id, program, module, options]) => {
      const optionsOrNull = options ?? null;
      await board.startCompartment(
        uintArgument(id, 'id'),
        bytesArgument(program, 'program', MESSAGE),
        bytesArgument(module, 'module', MESSAGE),
        optionsOrNull,
      );
      return null;
    },
    stopCompartment: async ([id]) => {
      await board.stopCompartment(uintArgument(id, 'id'));
      return null;
    },
  });
}
