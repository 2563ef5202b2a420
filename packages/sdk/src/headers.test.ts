import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildApps, type BuiltApp } from './index.ts';

const SDK = fileURLToPath(new URL('..', import.meta.url));
const signer = {
  thumbprint: new Uint8Array(20),
  sign: () => Promise.resolve(new Uint8Array(64)),
};
const MANIFEST = JSON.stringify({
  SchemaVersion: 1,
  Name: 'headers',
  ComponentId: 'aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee',
  EntryPoint: '/bin/app',
  Capabilities: {},
});

/** What POSIX has that samples of the platform use (azure-sphere.md §4.5). */
const POSIX = [
  'sigaction signal raise sigtimedwait sigprocmask sigemptyset',
  'timerfd_create timerfd_settime timerfd_gettime epoll_create1 epoll_ctl epoll_wait poll select',
  'clock_gettime clock_settime nanosleep sleep usleep setenv localtime gmtime getopt_long',
  'socket connect bind listen accept accept4 send recv sendto recvfrom setsockopt getsockopt shutdown',
  'getaddrinfo freeaddrinfo getnameinfo gethostbyname getifaddrs freeifaddrs if_nametoindex',
  'tzset localtime_r mktime res_init res_mkquery dn_expand ns_initparse ns_parserr ns_get16',
  'curl_easy_perform curl_easy_pause curl_multi_perform curl_multi_socket_action curl_slist_append',
  'DeviceAuth_CurlSslFunc Networking_Curl_SetDefaultProxy',
  'inet_aton inet_pton inet_ntop read write lseek close snprintf strerror malloc free',
].flatMap((line) => line.split(' '));
const POSIX_HEADERS = [
  'resolv.h curl/curl.h arpa/inet.h errno.h fcntl.h getopt.h ifaddrs.h net/if.h netdb.h netinet/in.h netinet/tcp.h poll.h signal.h',
  'stdio.h stdlib.h string.h sys/epoll.h sys/select.h sys/socket.h sys/time.h sys/timerfd.h time.h unistd.h',
].flatMap((line) => line.split(' '));

describe('the SDK’s headers', () => {
  const folders: string[] = [];
  let apps: readonly BuiltApp[] = [];
  let functions: readonly string[] = [];

  beforeAll(async () => {
    const text = await readFile(new URL('testdata/applibs-functions.json', import.meta.url), 'utf8');
    functions = (JSON.parse(text) as { functions: string[] }).functions;
    const own = (await readdir(join(SDK, 'include'), { recursive: true })).filter((path) =>
      /^(?:applibs|tlsutils|sevenfold)\/.*\.h$/.test(path),
    );
    const source = [
      ...[...own, ...POSIX_HEADERS].sort().map((path) => `#include <${path}>`),
      'int main(int argc, char *argv[])',
      '{',
      '    (void)argv;',
      '    static void (*volatile all[])(void) = {',
      ...[...functions, ...POSIX].map((name) => `        (void (*)(void))${name},`),
      '    };',
      '    return all[argc] != NULL;',
      '}',
      '',
    ].join('\n');
    for (const name of ['main.c', 'main.cpp']) {
      const folder = await mkdtemp(join(tmpdir(), 'sevenfold-headers-'));
      folders.push(folder);
      await writeFile(join(folder, 'app_manifest.json'), MANIFEST);
      await writeFile(join(folder, name), source);
    }
    apps = await buildApps(folders.map((sourceDir) => ({ sourceDir, signer })));
  });
  afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));

  it('declare every function of Applibs and what samples use of POSIX, in C11 and C++17, and the library has them', () => {
    expect(functions.length).toBe(147);
    for (const { symbols } of apps) {
      const linked = new Set(symbols.functions.map(({ name }) => name));
      expect(functions.filter((name) => !linked.has(name))).toEqual([]);
    }
  });

  it('say nothing that a compiler warns of', () => {
    expect(
      apps.flatMap(({ warnings }) => warnings).filter(({ file }) => file !== 'main.c' && file !== 'main.cpp'),
    ).toEqual([]);
  });
});
