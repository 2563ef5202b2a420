import {
  DEVICE_CONTENT_TYPES,
  EXPORTER_LABEL,
  decodeDeviceProblem,
  type CertStore,
} from '@sevenfold/formats';
import { ServicesError } from './errors.ts';
import type { HttpsRequest, HttpsResponse, Kernel, TlsIdentity } from './kernel.ts';

/** One authenticated connection to the device service. */
export interface ServiceSession {
  /** 32 bytes of keying material of this very connection. */
  exporter(): Promise<Uint8Array>;
  /** Sends CBOR and gives the body of a 2xx answer. A refusal by the service is `ServiceRefused`. */
  post(path: string, body: Uint8Array): Promise<Uint8Array>;
  /** Bytes `start` to `start + length`, or fewer at the end; never none, never more. */
  range(path: string, start: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** Bytes of an answer that is read at all; a plan or a chain is far smaller. */
const LARGEST_ANSWER = 256 * 1024;

/** Connects to the first endpoint of the certificate store that answers and proves who it is. */
export async function openServiceSession(
  kernel: Kernel,
  store: CertStore,
  client: TlsIdentity | null,
): Promise<ServiceSession> {
  let failure: unknown = new ServicesError('UnexpectedAnswer', 'The certificate store names no endpoint.');
  for (const endpoint of store.endpoints) {
    try {
      const { host, port, serverName } = endpoint;
      return overSession(
        kernel,
        await kernel.httpsOpen({ host, port, serverName, roots: store.tlsRoots }, client),
      );
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

function overSession(kernel: Kernel, session: number): ServiceSession {
  const exchange = async (request: HttpsRequest): Promise<HttpsResponse> => {
    const response = await kernel.httpsRequest(session, request);
    if (response.status >= 200 && response.status < 300) return response;
    throw refusalOf(response);
  };
  return {
    exporter: () => kernel.httpsExporter(session, EXPORTER_LABEL, 32),
    async post(path, body) {
      const response = await exchange({ method: 'POST', path, contentType: DEVICE_CONTENT_TYPES.cbor, body });
      if (response.body.length > LARGEST_ANSWER) throw unexpected(path, `at most ${LARGEST_ANSWER} bytes`);
      return response.body;
    },
    async range(path, start, length) {
      const response = await exchange({ method: 'GET', path, rangeStart: start, rangeLength: length });
      // 200 is the whole (RFC 9110 §14.2): usable only where we asked from its beginning.
      const isPart = response.status === 206 || (response.status === 200 && start === 0);
      if (!isPart) throw unexpected(path, 'status 206');
      if (response.body.length === 0 || response.body.length > length)
        throw unexpected(path, `1 to ${length} bytes`);
      return response.body;
    },
    async close() {
      await kernel.httpsClose(session);
    },
  };
}

function unexpected(path: string, rule: string): ServicesError {
  return new ServicesError(
    'UnexpectedAnswer',
    `The service's answer to ${path} is not what was asked for: ${rule}.`,
    {
      field: path,
      rule,
    },
  );
}

function refusalOf(response: HttpsResponse): ServicesError {
  const retryAfter = response.retryAfter === null ? null : response.retryAfter * 1000;
  let said = `status ${response.status}`;
  let place = {};
  try {
    const problem = decodeDeviceProblem(response.body.subarray(0, LARGEST_ANSWER));
    said = `${problem.code}: ${problem.message}`;
    place = { field: problem.field, rule: problem.rule };
  } catch {
    // A proxy's error page, say: its status is all there is to tell.
  }
  return new ServicesError('ServiceRefused', `The service refused: ${said}`, { ...place, retryAfter });
}
