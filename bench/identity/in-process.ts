import { spawnSync } from 'node:child_process';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { decodeAttestRequest } from '@sevenfold/formats';
import { attestDevice } from '../../packages/service/src/attestation/attest-device.ts';
import { CertificateAuthorities } from '../../packages/service/src/certificates/authorities.ts';
import { FLEET_SCHEDULE } from '../../packages/service/src/device-port/schedule.ts';
import type { Figure } from '../figure.ts';
import { alternate, compare } from '../pairs.ts';
import { openContext, type Fleet } from './fleet.ts';

const ATTESTATIONS = 1500;
/** So many wait for one commit, as they do when many devices come at once. */
const TOGETHER = 50;
const LEAST_SHARE = 0.5;

/**
 * The verb itself, from the bytes of the request to two certificates and a durable row, beside the time in which
 * OpenSSL alone makes the three verifications and the two signatures. The devices come back, each with two fresh keys;
 * what the service concluded from the same measurements the last time it need not conclude again.
 */
export async function measureInProcess(fleet: Fleet): Promise<readonly Figure[]> {
  const [name, target] = [
    'verify token + two certificates, in-process, per core',
    `≥ ${100 * LEAST_SHARE} %`,
  ];
  if (spawnSync('openssl', ['version']).error) {
    const peer = 'openssl is missing: Debian package openssl';
    return [{ name, measured: '–', peer, target, isMet: false }];
  }
  setFlagsFromString('--expose-gc');
  const collectGarbage = runInNewContext('gc') as () => void;
  const context = await openContext(fleet.folder);
  const attestation = {
    ...context,
    authorities: new CertificateAuthorities(context),
    schedule: FLEET_SCHEDULE,
  };
  const ours = async (): Promise<number> => {
    const exporter = context.entropy.random(32);
    const bodies = Array.from({ length: ATTESTATIONS }, (_, index) => {
      const chip = fleet.chips[index % fleet.chips.length];
      if (chip === undefined) throw new Error('the fleet has no chips');
      return chip.attestation(exporter);
    });
    // What the chips have left behind while they signed is not the service's to clear away.
    collectGarbage();
    const began = process.cpuUsage();
    for (let start = 0; start < bodies.length; start += TOGETHER) {
      const replies = await Promise.all(
        bodies
          .slice(start, start + TOGETHER)
          .map((body) => attestDevice(attestation, decodeAttestRequest(body), () => exporter)),
      );
      if (replies.some(({ verdict, clientChain }) => verdict !== 'trusted' || clientChain === null))
        throw new Error('an attestation gave no client certificate');
    }
    const { user, system } = process.cpuUsage(began);
    return (ATTESTATIONS * 1e6) / (user + system);
  };
  const pairs = await alternate(ours, async () => opensslFloor());
  await context.store.close();
  const { ratio, ours: rate, theirs } = compare(pairs, (figure) => figure);
  return [
    {
      name,
      measured: `${Math.round(rate)}/s = ${(100 * ratio).toFixed(0)} %`,
      peer: `openssl speed, 3 verifies + 2 signs: ${Math.round(theirs)}/s`,
      target,
      isMet: ratio >= LEAST_SHARE,
    },
  ];
}

/** How often a second OpenSSL could make three verifications and two signatures on P-256, and nothing else. */
function opensslFloor(): number {
  const run = spawnSync('openssl', ['speed', '-seconds', '1', 'ecdsap256'], { encoding: 'utf8' });
  const line = /\(nistp256\)\s+\S+\s+\S+\s+([\d.]+)\s+([\d.]+)/u.exec(run.stdout ?? '');
  if (line === null) throw new Error(`openssl speed said no figures: ${run.stdout}`);
  return 1 / (3 / Number(line[2]) + 2 / Number(line[1]));
}
