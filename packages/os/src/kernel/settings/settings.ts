import {
  isBytes,
  SYSTEM_COMPONENT_IDS,
  toProblem,
  type AppCapabilities,
  type Port,
} from '@sevenfold/formats';
import type { Compartment } from '../compartments.ts';
import { KernelError } from '../errors.ts';
import type { PrivateServicesHost } from '../lan/private-services.ts';
import { Certificates } from './certificates.ts';
import { FieldReader, FieldWriter } from './fields.ts';
import { Networking } from './networking.ts';
import type { ProxyAddress } from './proxy.ts';
import { Wifi } from './wifi.ts';

/** Where the kernel keeps its own settings among the contents of apps, and the form they have. */
const OWN_CONTENT = SYSTEM_COMPONENT_IDS.NormalWorldKernel;
const FORM = 1;

/** What the settings of a device stand on. */
export interface SettingsHost extends PrivateServicesHost {
  readonly monitor: Port;
  readonly deviceId: string;
}

/** One operation: its number is the ABI, its right one of these capabilities. */
interface Operation {
  /** Names of capabilities, any of which opens it; none: it is open to all. */
  readonly needs: readonly (keyof AppCapabilities)[];
  /** Whether what it changed is to outlive a restart. */
  readonly isKept?: boolean;
  answer(reader: FieldReader, writer: FieldWriter, capabilities: AppCapabilities): Promise<unknown> | void;
}

/** What apps set on a device and share: networking, Wi-Fi, certificates (azure-sphere.md §4.4). */
export class DeviceSettings {
  readonly #host: SettingsHost;
  readonly #certificates = new Certificates();
  readonly #wifi: Wifi;
  readonly #networking: Networking;
  readonly #operations: ReadonlyMap<number, Operation>;

  constructor(host: SettingsHost) {
    this.#host = host;
    this.#wifi = new Wifi(host.hardware, host.clock, this.#certificates);
    this.#networking = new Networking({ ...host, isWifiConnected: () => this.#wifi.isConnected });
    this.#operations = new Map([
      ...this.#networkingOperations(),
      ...this.#wifiOperations(),
      ...this.#certificateOperations(),
    ]);
  }

  /** The device's proxy for a host; null: none. */
  proxyFor(host: string): ProxyAddress | null {
    return this.#networking.proxy.forHost(host);
  }

  /** Takes up what was kept. What cannot be read is left behind, as on a new device. */
  async load(): Promise<void> {
    await this.#read();
    await this.#networking.begin();
  }

  async #read(): Promise<void> {
    try {
      const content = await this.#host.monitor.call('mutableRead', OWN_CONTENT);
      if (!isBytes(content)) return;
      const reader = new FieldReader(content);
      if (reader.number() !== FORM) return;
      this.#certificates.load(reader);
      this.#networking.load(reader);
      this.#wifi.load(reader);
    } catch (error) {
      this.#host.log(`the device's settings could not be read: ${toProblem(error).message}`);
    }
  }

  /** Answers an app. Steps in order: an operation there is; a right to it; a request that is whole; kept in flash. */
  async handle({ application }: Compartment, number: number, request: Uint8Array): Promise<Uint8Array> {
    const operation = this.#operations.get(number);
    if (operation === undefined) throw new KernelError('BadSetting', `There is no setting ${number}.`);
    const { capabilities } = application;
    const { needs, isKept } = operation;
    const granted = needs.some((name) => capabilities[name] === true);
    if (needs.length > 0 && !granted)
      throw new KernelError('AccessDenied', `The manifest does not name ${needs.join(' or ')}.`, {
        field: 'Capabilities',
      });
    const writer = new FieldWriter();
    const reader = new FieldReader(request);
    await operation.answer(reader, writer, capabilities);
    reader.end();
    if (isKept === true) await this.#keep();
    return writer.finish();
  }

  async #keep(): Promise<void> {
    const writer = new FieldWriter().number(FORM);
    this.#certificates.save(writer);
    this.#networking.save(writer);
    this.#wifi.save(writer);
    try {
      await this.#host.monitor.call('mutableWrite', OWN_CONTENT, writer.finish());
    } catch (cause) {
      throw new KernelError('StoreFull', 'The flash has no room for the settings.', { cause });
    }
  }

  #networkingOperations(): readonly (readonly [number, Operation])[] {
    const networking = this.#networking;
    const open = { needs: [] } as const;
    const configured = { needs: ['networkConfig'], isKept: true } as const;
    const timed = { needs: ['timeSyncConfig'], isKept: true } as const;
    return [
      [1, { ...open, answer: (_, writer) => void writer.flag(networking.isReady) }],
      [2, { ...open, answer: (_, writer) => networking.list(writer) }],
      [3, { ...configured, answer: (reader) => networking.enable(reader) }],
      [4, { ...open, answer: (reader, writer) => void writer.number(networking.status(reader)) }],
      [5, { ...open, answer: (reader, writer) => void writer.bytes(networking.hardwareAddress(reader)) }],
      [
        6,
        {
          needs: ['hardwareAddressConfig'],
          isKept: true,
          answer: (reader) => networking.setHardwareAddress(reader),
        },
      ],
      [7, { ...configured, answer: (reader) => networking.applyAddresses(reader) }],
      [8, { needs: ['networkConfig'], answer: (reader) => networking.release(reader) }],
      [9, { needs: ['networkConfig'], answer: (reader) => networking.renew(reader) }],
      [10, { ...timed, answer: (reader) => networking.time.setEnabled(reader) }],
      [11, { ...open, answer: (_, writer) => void writer.flag(networking.time.isEnabled) }],
      [12, { ...timed, answer: (reader) => networking.time.setServers(reader) }],
      [13, { ...open, answer: (_, writer) => networking.time.writeLast(writer) }],
      [19, { ...open, answer: (reader, writer) => networking.addresses(reader, writer) }],
      [14, { needs: ['sntpService'], answer: (reader) => networking.startTimeServer(reader) }],
      [15, { needs: ['dhcpService'], answer: (reader) => networking.startAddressServer(reader) }],
      [16, { ...configured, answer: (reader) => networking.proxy.set(reader) }],
      [
        17,
        {
          needs: ['networkConfig', 'readNetworkProxyConfig'],
          answer: (_, writer) => networking.proxy.write(writer),
        },
      ],
      [
        18,
        { ...open, answer: (_, writer) => void writer.number(networking.proxy.status(networking.isReady)) },
      ],
    ];
  }

  #wifiOperations(): readonly (readonly [number, Operation])[] {
    const wifi = this.#wifi;
    const needs = ['wifiConfig'] as const;
    const rights = (capabilities: AppCapabilities) => ({ isEnterprise: capabilities.enterpriseWifiConfig });
    return [
      [30, { needs, answer: (_, writer) => void writer.number(wifi.add()) }],
      [31, { needs, answer: (reader, writer) => void writer.number(wifi.duplicate(reader)) }],
      [32, { needs, answer: (reader, _, capabilities) => wifi.set(reader, rights(capabilities)) }],
      [
        33,
        {
          needs,
          answer: (reader, writer, capabilities) => void writer.text(wifi.get(reader, rights(capabilities))),
        },
      ],
      [34, { needs, isKept: true, answer: () => wifi.persist() }],
      [35, { needs, answer: () => wifi.reload() }],
      [36, { needs, answer: (reader) => wifi.forget(reader) }],
      [37, { needs, isKept: true, answer: () => wifi.forgetAll() }],
      [38, { needs, answer: (_, writer) => wifi.stored(writer) }],
      [39, { needs, answer: (_, writer) => wifi.current(writer) }],
      [40, { needs, answer: (reader, writer) => wifi.scan(reader, writer) }],
      [41, { needs, answer: (reader, writer) => wifi.diagnostics(reader, writer) }],
      [42, { needs, answer: (reader, writer) => void writer.number(wifi.byName(reader)) }],
      [43, { needs, isKept: true, answer: (reader) => wifi.setPowerSaving(reader) }],
      [44, { needs, isKept: true, answer: (reader) => wifi.forgetStored(reader) }],
    ];
  }

  #certificateOperations(): readonly (readonly [number, Operation])[] {
    const certificates = this.#certificates;
    const needs = ['certStore'] as const;
    return [
      [60, { needs, isKept: true, answer: (reader) => certificates.install(reader) }],
      [61, { needs, isKept: true, answer: (reader) => certificates.delete(reader) }],
      [62, { needs, isKept: true, answer: (reader) => certificates.move(reader) }],
      [63, { needs, answer: (_, writer) => certificates.list(writer) }],
      [64, { needs, answer: (_, writer) => void writer.number(certificates.space) }],
      [65, { needs, answer: (reader, writer) => certificates.show(reader, writer) }],
    ];
  }
}
