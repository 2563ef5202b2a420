import {
  appMemoryOf,
  decodeCertStore,
  isBytes,
  toProblem,
  type Clock,
  type Port,
  type PortValue,
  type StageHandle,
} from '@sevenfold/formats';
import { Applications } from './applications.ts';
import { readBootFacts, readIdentity, readInstalledApplications } from './boot-facts.ts';
import { serveCompartments, serveHardware } from './compartment-port.ts';
import { Connections, type ProxyRecord } from './connections.ts';
import { CredentialStore } from './credentials.ts';
import { KernelError } from './errors.ts';
import { addressText, Firewall } from './firewall.ts';
import { Http2Exchanges } from './http2.ts';
import { FailureLog } from './failures.ts';
import { InterCore } from './inter-core/inter-core.ts';
import { ApplicationLog } from './log-limit.ts';
import { Drivers } from './drivers/drivers.ts';
import { readRtc, setRtc } from './drivers/rtc-driver.ts';
import { RealTimeCores } from './real-time-cores.ts';
import { STABLE_UPTIME } from './restart-policy.ts';
import { serveServices } from './services-port.ts';
import { DeviceSettings } from './settings/settings.ts';
import { Sockets } from './sockets.ts';
import { SystemEvents } from './system-events.ts';
import { MutableStorage } from './storage.ts';
import { TimeKeeper } from './time-keeper.ts';

/** The watchdog resets the device when the kernel has not come round for so many ms. */
const WATCHDOG = 60_000;
const WATCHDOG_PERIOD = 15_000;

function port(handle: StageHandle, name: string): Port {
  const found = handle.ports[name];
  if (found === undefined) throw new TypeError(`The kernel needs the port ${name}.`);
  return found;
}

async function load(monitor: Port, call: string, ...args: readonly string[]): Promise<Uint8Array> {
  const bytes = await monitor.call(call, ...args);
  if (!isBytes(bytes)) throw new KernelError('BadReply', `The monitor's ${call} gave no bytes.`);
  return bytes;
}

async function feedWatchdog(monitor: Port, clock: Clock): Promise<never> {
  for (;;) {
    await monitor.call('watchdogKick', WATCHDOG);
    await clock.sleep(WATCHDOG_PERIOD);
  }
}

/** The system's time begins as the battery's clock has it, where somebody ever set that. */
async function followRtc(
  drivers: Drivers,
  timeKeeper: TimeKeeper,
  log: (line: string) => void,
): Promise<void> {
  const time = await readRtc(drivers.bus);
  if (time === null) return;
  await timeKeeper.set(time, 'battery');
  log('the time is that of the real-time clock');
}

/** What goes on beside its caller, who awaits it later: should it fail before that, it is no rejection of nobody's. */
function begun<T>(work: Promise<T>): Promise<T> {
  work.catch(() => {});
  return work;
}

/**
 * Starts the kernel: its own state, the OS services, then every installed app. After a reset by the watchdog it comes
 * up in safe mode: apps wait until the kernel has been up for a minute, so that the services can replace the one that
 * hangs the device.
 */
export async function start(handle: StageHandle): Promise<void> {
  const monitor = port(handle, 'monitor');
  const hardware = port(handle, 'hardware');
  const { clock } = handle;
  const log = (line: string): void => handle.log(line);

  // The services are verified while the kernel comes up.
  const services = begun(load(monitor, 'loadServices'));
  const [bootInfo, identity, certStoreFile, program] = await Promise.all([
    monitor.call('bootInfo'),
    monitor.call('identity'),
    load(monitor, 'loadFile', 'certStore'),
    load(monitor, 'loadFile', 'compartment'),
  ]);
  const boot = readBootFacts(bootInfo);
  const { deviceId, chipSku } = readIdentity(identity);
  const certStore = decodeCertStore(certStoreFile);
  const drivers = new Drivers(hardware);
  const timeKeeper = new TimeKeeper(hardware, clock);
  await followRtc(drivers, timeKeeper, log);
  const random = async (length: number): Promise<Uint8Array> => {
    const bytes = await monitor.call('random', length);
    if (!isBytes(bytes)) throw new KernelError('BadReply', 'The monitor gave no random bytes.');
    return bytes;
  };
  const settings = new DeviceSettings({ monitor, hardware, clock, deviceId, log, random, timeKeeper });
  await settings.load();
  const firewall = new Firewall(hardware, clock);
  const proxyFor = async (host: string): Promise<ProxyRecord | null> => {
    const proxy = settings.proxyFor(host);
    if (proxy === null) return null;
    // Its name is resolved here: no answer makes a connection end on the device itself.
    const address = addressText(await firewall.addressOfOwn(proxy.host));
    return { host: address, port: proxy.port, ...proxy.credentials };
  };
  const { tlsRoots: roots } = certStore;
  const connections = new Connections({ hardware, clock, roots, deviceId, firewall, proxyFor });
  const exchanges = new Http2Exchanges(hardware, connections);
  const sockets = new Sockets({ hardware, clock, firewall, proxyFor });
  const systemEvents = new SystemEvents(clock);
  const interCore = new InterCore(drivers.bus, log);
  const failures = new FailureLog(monitor, clock, boot.osVersion);
  const applications = new Applications({
    monitor,
    hardware,
    clock,
    log,
    drivers,
    connections,
    exchanges,
    sockets,
    systemEvents,
    cores: new RealTimeCores({ monitor, bus: drivers.bus, clock, interCore }),
    interCore,
    osVersion: boot.osVersion,
    failures,
    program,
    limits: { memory: appMemoryOf(chipSku) },
  });
  const restart = async (): Promise<void> => {
    await applications.stopAll();
    await monitor.call('restart');
  };
  const applicationLog = new ApplicationLog(clock, log);
  const fromServices = serveServices({
    monitor,
    hardware,
    timeKeeper,
    applications,
    connections,
    proxyFor,
    systemEvents,
    failures,
    restart,
    credentials: new CredentialStore(monitor),
  });
  const compartments = serveCompartments({
    applications,
    drivers,
    setHardwareClock: async ({ application }) => {
      if (!application.capabilities.systemTime)
        throw new KernelError('AccessDenied', 'The manifest does not grant SystemTime.');
      await setRtc(drivers.bus, clock.now());
      return null;
    },
    connections,
    exchanges,
    sockets,
    interCore,
    systemEvents,
    timeKeeper,
    restart,
    storage: new MutableStorage(monitor, clock),
    settings,
    monitor,
    clock,
    say: (compartment, line) => applicationLog.say(compartment, line),
  });
  const fromHardware = serveHardware(applications, drivers);
  handle.serve((caller, method, args) => {
    if (caller.startsWith('compartment:')) return compartments(caller, method, args);
    return caller === 'hardware' ? fromHardware(caller, method, args) : fromServices(caller, method, args);
  });

  feedWatchdog(monitor, clock).catch((error: unknown) =>
    log(`the watchdog is not fed: ${toProblem(error).message}`),
  );
  // Listed before the services can change them, and while these start.
  const images = boot.wasHung ? null : begun(monitor.call('listImages'));
  const startApplications = async (installed: Promise<PortValue>): Promise<void> =>
    applications.installAll(readInstalledApplications(await installed));
  await hardware.call('startStage', 'services', await services);
  if (images !== null) return startApplications(images);
  log('safe mode: the watchdog reset this device, apps start in a minute');
  void clock.sleep(STABLE_UPTIME).then(() => startApplications(monitor.call('listImages')));
}
