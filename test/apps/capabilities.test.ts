import { readFileSync } from 'node:fs';
import { parseAppImage, parseImagePackage } from '@sevenfold/formats';
import { buildApp } from '@sevenfold/sdk';
import { beforeAll, describe, expect, it } from 'vitest';
import { fileURLToPath } from 'node:url';
import { KernelWorld } from '../../packages/os/src/kernel/testing/kernel-world.ts';
import { linesOf, newSigner } from './device-apps.ts';

const folder = fileURLToPath(new URL('capabilities', import.meta.url));
let module: Uint8Array;
beforeAll(async () => {
  const app = await buildApp({
    sourceDir: folder,
    signer: newSigner(),
  });
  expect(app.warnings).toEqual([]);
  module = parseAppImage(parseImagePackage(app.imagePackage).payload).executable;
}, 240_000);

/** What a manifest names, by the name under which the app knows it. */
const CAPABILITIES: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  Gpio: { Gpio: [8, 9] },
  Uart: { Uart: ['ISU0'] },
  I2cMaster: { I2cMaster: ['ISU1'] },
  SpiMaster: { SpiMaster: ['ISU2'] },
  Adc: { Adc: ['ADC-CONTROLLER-0'] },
  Pwm: { Pwm: ['PWM-CONTROLLER-0'] },
  MutableStorage: { MutableStorage: { SizeKB: 8 } },
  SystemTime: { SystemTime: true },
  SetPowerProfile: { PowerControls: ['SetPowerProfile'] },
  SoftwareUpdateDeferral: { SystemEventNotifications: true, SoftwareUpdateDeferral: true },
  NetworkConfig: { NetworkConfig: true },
  HardwareAddressConfig: { HardwareAddressConfig: true },
  TimeSyncConfig: { TimeSyncConfig: true },
  SntpService: { SntpService: true },
  DhcpService: { DhcpService: true },
  ReadNetworkProxyConfig: { ReadNetworkProxyConfig: true },
  WifiConfig: { WifiConfig: true },
  EnterpriseWifiConfig: { WifiConfig: true, EnterpriseWifiConfig: true },
  CertStore: { CertStore: true },
};
const NAMES = Object.keys(CAPABILITIES);

/** What the app says with these capabilities, and how many calls it made. */
async function run(names: readonly string[]): Promise<readonly string[]> {
  const world = await KernelWorld.boot();
  const given = names.includes('EnterpriseWifiConfig') ? [...new Set([...names, 'WifiConfig'])] : names;
  world.install({
    module,
    capabilities: Object.assign({}, ...names.map((name) => CAPABILITIES[name])),
    manifest: { CmdArgs: given },
  });
  await world.services('appInstalled', 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee');
  await world.clock.advance(900);
  return linesOf(world, 'tried');
}

describe('every function of Applibs', () => {
  it.each([['nothing', []], ['everything', NAMES], ...NAMES.map((name) => [name, [name]] as const)] as const)(
    'is refused or not as the headers say, to an app that may %s',
    async (_, names) => {
      const said = await run(names);
      expect(said.filter((line) => line.startsWith('not ok'))).toEqual([]);
      expect(said.at(-1)).toMatch(/^tried 1\d\d$/);
    },
  );

  it('that reaches the kernel is among them', () => {
    const { functions } = JSON.parse(
      readFileSync(
        new URL('../../packages/sdk/src/testdata/applibs-functions.json', import.meta.url),
        'utf8',
      ),
    ) as { readonly functions: readonly string[] };
    const source = readFileSync(`${folder}/main.c`, 'utf8');
    const missing = functions.filter((name) => !new RegExp(`\\b${name}\\b`).test(source));
    // These change or read what the app itself holds.
    expect(missing).toEqual([
      'DeviceAuth_GetCertificatePath',
      'DeviceAuth_SslCtxFunc',
      'EventLoop_ModifyIoEvents',
      'EventLoop_RegisterIo',
      'EventLoop_UnregisterIo',
      'Log_DebugVarArgs',
      'Networking_DhcpServerConfig_Destroy',
      'Networking_DhcpServerConfig_SetNtpServerAddresses',
      'Networking_IpConfig_EnableAutomaticDns',
      'Networking_IpConfig_EnableCustomDns',
      'Networking_IpConfig_EnableStaticIp',
      'Networking_Proxy_GetAuthType',
      'Networking_Proxy_GetNoProxyAddresses',
      'Networking_Proxy_GetProxyAddress',
      'Networking_Proxy_GetProxyOptions',
      'Networking_Proxy_GetProxyPassword',
      'Networking_Proxy_GetProxyPort',
      'Networking_Proxy_GetProxyType',
      'Networking_Proxy_GetProxyUsername',
      'Networking_Proxy_SetBasicAuthentication',
      'Networking_Proxy_SetProxyNoProxyAddresses',
      'Networking_Proxy_SetProxyOptions',
      'Networking_SntpServerConfig_Destroy',
      'Storage_GetAbsolutePathInImagePackage',
      'SysEvent_Info_GetUpdateData',
      'SysEvent_UnregisterForEventNotifications',
    ]);
  });
});
