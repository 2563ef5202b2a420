import { ALL_ROUTES, type RequestSigner, type Route } from '@sevenfold/api';
import { toBase64Url, utf8Encode } from '@sevenfold/formats';
import { sha256 } from '@sevenfold/pki';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTenant } from '../registry/tenants.ts';
import { startTestPeople, type TestPeople } from '../test-people.ts';

/**
 * The whole policy, written down a second time. Columns: nobody; Reader, Contributor, Administrator of the whole
 * service; the same three of the tenant in the path; the Administrator of another tenant. `x`: admitted.
 */
const COLUMNS = ['nobody', 'R', 'C', 'A', 'tenant R', 'tenant C', 'tenant A', 'other A'] as const;
const EXPECTED: Readonly<Record<string, string>> = {
  getStatus: 'xxxxxxxx',
  getOpenApi: 'xxxxxxxx',
  getTrust: '.xxxxxxx',
  enrol: 'xxxxxxxx',
  getMe: '.xxxxxxx',
  createInvitation: '...x..xx',
  listPrincipals: '...x..xx',
  listAudit: '...x..xx',
  listTenants: '.xxxxxxx',
  createTenant: '...x....',
  getTenant: '.xxxxxx.',
  updateTenant: '...x..x.',
  listCertificates: '.xxxxxx.',
  getCertificate: '.xxxxxx.',
  getCertificateChain: '.xxxxxx.',
  proveCertificate: '..xx.xx.',
  revokeCertificate: '...x..x.',
  listIntermediates: '.xxx....',
  replaceIntermediate: '...x....',
  listProducts: '.xxxxxx.',
  createProduct: '..xx.xx.',
  listDeviceGroups: '.xxxxxx.',
  createDeviceGroup: '..xx.xx.',
  getDeviceGroup: '.xxxxxx.',
  updateDeviceGroup: '..xx.xx.',
  listDevices: '.xxxxxx.',
  claimDevice: '..xx.xx.',
  getDevice: '.xxxxxx.',
  getDeviceAttestation: '.xxxxxx.',
  updateDevice: '..xx.xx.',
  releaseDevice: '..xx.xx.',
  createDeviceCapability: '...x..x.',
  listImages: '.xxxxxx.',
  uploadImage: '..xx.xx.',
  getImage: '.xxxxxx.',
  uploadSymbols: '..xx.xx.',
  uploadMaterials: '..xx.xx.',
  getMaterials: '.xxxxxx.',
  listDeployments: '.xxxxxx.',
  createDeployment: '..xx.xx.',
  listSiliconMakers: '.xxx....',
  createSiliconMaker: '...x....',
  listSiliconRoots: '.xxx....',
  createSiliconRoot: '...x....',
  importEndorsements: '...x....',
  importEndorsementChains: '...x....',
  listPlatformKeys: '.xxx....',
  createPlatformKey: '...x....',
  uploadOsImage: '...x....',
  getOsImage: '.xxxxxxx',
  listOsReleases: '.xxxxxxx',
  createOsRelease: '...x....',
  revokeOsRelease: '...x....',
  listErrorGroups: '.xxxxxx.',
  getErrorGroup: '.xxxxxx.',
  listTelemetry: '.xxxxxx.',
  markErrorGroupFixed: '..xx.xx.',
};

describe('the route table', () => {
  let people: TestPeople;
  let tenantId: string;
  let signers: readonly (RequestSigner | null)[];

  beforeAll(async () => {
    people = await startTestPeople();
    const authorities = { ensureTenantCa: () => Promise.resolve() };
    const own = await createTenant({ ...people.service, authorities }, 'Own');
    const other = await createTenant({ ...people.service, authorities }, 'Other');
    tenantId = own.tenantId;
    const persons = [
      await people.person('Reader', null),
      await people.person('Contributor', null),
      await people.person('Administrator', null),
      await people.person('Reader', own.tenantId),
      await people.person('Contributor', own.tenantId),
      await people.person('Administrator', own.tenantId),
      await people.person('Administrator', other.tenantId),
    ];
    signers = [null, ...persons.map((person) => person.signer)];
  });
  afterAll(() => people.close());

  it('names each route once', () => {
    expect(ALL_ROUTES.map(([, route]) => route.name).sort()).toEqual(Object.keys(EXPECTED).sort());
  });

  it.each(ALL_ROUTES.map(([, route]) => [route.name, route] as const))(
    'admits to %s whom it should',
    async (name, route) => {
      const admitted: string[] = [];
      for (const signer of signers)
        admitted.push((await isAdmitted(people, route, tenantId, signer)) ? 'x' : '.');
      const readable = (flags: string): string[] => COLUMNS.filter((_, index) => flags[index] === 'x');
      expect(readable(admitted.join(''))).toEqual(readable(EXPECTED[name] ?? ''));
    },
  );
});

/** Calls with a body that no route accepts, so that being admitted changes nothing. */
async function isAdmitted(
  people: TestPeople,
  route: Route,
  tenantId: string,
  signer: RequestSigner | null,
): Promise<boolean> {
  const target = route.path
    .replace('{tenantId}', tenantId)
    .replaceAll(/\{(deviceGroupId|imageId|makerId)\}/g, '00000000-0000-4000-8000-000000000000')
    .replace('{deviceId}', '0'.repeat(64))
    .replace('{serial}', 'ab')
    .replace('{groupId}', '0'.repeat(32))
    .replace('{name}', '1.0');
  const body = route.body.kind === 'none' ? null : utf8Encode('{"unknown":1}');
  const headers: Record<string, string> = {};
  if (body !== null) {
    headers['content-type'] = route.body.kind === 'json' ? 'application/json' : 'application/octet-stream';
  }
  if (signer !== null) {
    const iat = Math.floor(people.service.clock.now() / 1000);
    const bh = toBase64Url(sha256(body ?? new Uint8Array()));
    const claims = { aud: people.baseUrl, htm: route.method, htu: target, iat, exp: iat + 30, bh };
    headers['authorization'] = `Bearer ${await signer(claims)}`;
  }
  const response = await people.transport({
    method: route.method,
    url: people.baseUrl + target,
    headers,
    body,
  });
  const problem: { code?: string; field?: string } = JSON.parse(new TextDecoder().decode(response.body));
  if (response.status === 401 || response.status === 403) return false;
  if (response.status === 404 && problem.field === 'tenantId') return false;
  expect(response.status).toBeLessThan(500);
  return true;
}
