import { spawn } from 'node:child_process';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDataFolder } from './data-folder.ts';

describe('the data folder', () => {
  let parent: string;
  let folder: string;
  beforeEach(async () => {
    parent = await mkdtemp(path.join(tmpdir(), 'sevenfold-data-'));
    folder = path.join(parent, 'data');
  });
  afterEach(() => rm(parent, { recursive: true }));

  it('is closed to other users and remembers its ports', async () => {
    const data = openDataFolder(folder);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect(await data.readPorts()).toBeNull();
    await data.writePorts({ people: 1, device: 2, broker: 3 });
    data.close();
    const again = openDataFolder(folder);
    expect(await again.readPorts()).toEqual({ people: 1, device: 2, broker: 3 });
    expect((await stat(path.join(folder, 'ports.json'))).mode & 0o777).toBe(0o600);
    again.close();
  });

  it('belongs to one service at a time', () => {
    const data = openDataFolder(folder);
    expect(() => openDataFolder(folder)).toThrowError(expect.objectContaining({ code: 'DataFolderInUse' }));
    data.close();
    openDataFolder(folder).close();
  });

  it("is a service's own until that is killed, whatever is collected meanwhile", async () => {
    const module = path.join(import.meta.dirname, 'data-folder.ts');
    const script = `import { openDataFolder } from ${JSON.stringify(module)};
      openDataFolder(${JSON.stringify(folder)}); gc(); console.log('locked'); setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--expose-gc', '--input-type=module-typescript', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await once(child.stdout, 'data');
      expect(() => openDataFolder(folder)).toThrowError(expect.objectContaining({ code: 'DataFolderInUse' }));
    } finally {
      child.kill('SIGKILL');
    }
    await once(child, 'exit');
    openDataFolder(folder).close();
  });

  it('says so when its ports are damaged, instead of choosing new ones', async () => {
    const data = openDataFolder(folder);
    await writeFile(path.join(folder, 'ports.json'), '{"people": 0}');
    await expect(data.readPorts()).rejects.toMatchObject({ code: 'DataFolderDamaged', field: 'ports.json' });
    data.close();
  });
});
