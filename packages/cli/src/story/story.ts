import { join } from 'node:path';
import type { Progress } from '../narrator.ts';
import { checkAcknowledged } from './steps/acknowledged.ts';
import { buildAndDeploy, failAndReport, healApp, updateOverTheAir } from './steps/app.ts';
import { sendTelemetry, tryForbidden, tryFromNeighbour } from './steps/cloud.ts';
import { attestDevice, bootDevice, claimDevice, manufactureDevice } from './steps/device.ts';
import { refuse, updateOs } from './steps/refuse.ts';
import { publishFirstRelease } from './steps/release.ts';
import { bringUpService } from './steps/service.ts';
import { beginTelling, type StepResult, type StoryEnvironment } from './environment.ts';
import { Journal } from './journal.ts';

/** What came of each step, without times and random ids: the same from the same seed. */
export type StoryOutcome = readonly {
  readonly number: number;
  readonly title: string;
  readonly facts: Readonly<Record<string, string>>;
}[];

/** A platform that is up, with the story told. */
export interface ToldStory {
  readonly outcome: StoryOutcome;
  readonly deviceId: string;
  readonly errorGroupId: string;
  /** Powers the device off and ends the service. */
  close(): Promise<void>;
}

const DEVICE = 'blinker';

/**
 * The main job, end to end, each step real (see README.md). What an earlier run made is found and kept.
 * Rejects with the error of the step that failed, after everything that was up has been taken down.
 */
export async function tellStory(environment: StoryEnvironment): Promise<ToldStory> {
  const { telling, end } = beginTelling(environment);
  const { narrator, clock } = telling;
  const journal = new Journal(join(telling.dataDir, 'acknowledged.jsonl'));
  const outcome: StoryOutcome[number][] = [];
  const closers: (() => Promise<void> | void)[] = [];
  const close = async (): Promise<void> => {
    end();
    for (const each of closers.splice(0).toReversed()) await each();
  };
  const step = async <T extends StepResult>(
    title: string,
    work: (progress: Progress) => Promise<T>,
  ): Promise<T> => {
    telling.signal.throwIfAborted();
    const number = outcome.length + 1;
    const result = await narrator.step(number, title, work);
    outcome.push({ number, title, facts: result.facts });
    return result;
  };

  try {
    const { connection, tenant, neighbour } = await step('Service', async () => {
      const platform = await bringUpService(telling, journal);
      closers.push(
        () => platform.service.close(),
        () => platform.connection[Symbol.dispose](),
      );
      const kept = await checkAcknowledged(platform.connection.client, journal);
      return { ...platform, proved: [...platform.proved, `${kept} acknowledged facts looked up: all there`] };
    });
    const { client } = connection;
    const { tenantId } = tenant;

    const { release } = await step('OS release', (progress) =>
      publishFirstRelease(telling, client, journal, progress),
    );
    const { deviceId } = await step('Manufacture', () => manufactureDevice(telling, client, release, DEVICE));
    const { deviceGroup } = await step('Claim', () => claimDevice(client, tenantId, deviceId, journal));
    const target = { tenantId, deviceGroupId: deviceGroup.deviceGroupId };

    const { device } = await step('Boot', async () => {
      const booted = await bootDevice(telling, DEVICE);
      closers.push(() => booted.device.close());
      return booted;
    });
    await step('Attest', () => attestDevice(telling, client, tenantId, device, release.name));

    const { image, failing, fixed, neighbours } = await step('Build an app', (progress) =>
      buildAndDeploy(telling, client, journal, target, neighbour.tenantId, progress),
    );
    const since = clock.now();
    await step('Over the air', () => updateOverTheAir(telling, client, tenantId, device, image));
    await step('Its own cloud', async (progress) => {
      const refused = await tryFromNeighbour(
        telling,
        client,
        journal,
        release,
        neighbours,
        neighbour.tenantId,
        progress,
      );
      return sendTelemetry(telling, client, tenantId, deviceId, since, refused);
    });
    await step('Contained', () => tryForbidden(telling, client, tenantId, deviceId, since));

    const { group, text } = await step('It fails', () =>
      failAndReport(telling, client, journal, target, device, failing),
    );
    narrator.block(text);
    await step('It heals', async (progress) => {
      progress.report(0, 2, 'the fixed app');
      const healed = await healApp(telling, client, journal, target, device, fixed, group);
      const updated = await updateOs(telling, client, journal, device, healed.imageId, progress);
      return {
        proved: [
          `version 3 runs past the failing blink; the group is marked as fixed in image ${healed.imageId}`,
          ...updated.proved,
        ],
        facts: updated.facts,
      };
    });
    await step('It refuses', (progress) =>
      refuse(telling, client, journal, tenantId, device, DEVICE, progress),
    );
    return { outcome, deviceId, errorGroupId: group.groupId, close };
  } catch (error) {
    await close();
    throw error;
  }
}
