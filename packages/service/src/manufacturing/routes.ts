import { utf8Encode } from '@sevenfold/formats';

import { toTime, type Handlers } from '../http/handlers.ts';
import type { ServiceContext } from '../service-context.ts';
import { importBatch } from './import-batch.ts';
import { listSiliconMakers, registerSiliconMaker, type SiliconMaker } from './silicon-makers.ts';

type ManufacturingHandlers = Pick<Handlers, 'siliconMakers' | 'createSiliconMaker' | 'importEndorsements'>;

/** Answers the routes on silicon makers and their endorsements. */
export function manufacturingHandlers(
  context: Pick<ServiceContext, 'store' | 'clock' | 'entropy'>,
): ManufacturingHandlers {
  return {
    siliconMakers: async () => ({ items: (await listSiliconMakers(context)).map(toReply) }),
    async createSiliconMaker({ body }) {
      return toReply(await registerSiliconMaker(context, { name: body.name, spki: fromBase64(body.spki) }));
    },
    async importEndorsements({ body }) {
      const { imported, known } = await importBatch(context, {
        makerId: body.makerId,
        lines: utf8Encode(body.batch),
        signature: fromBase64(body.signature),
      });
      return { imported, known };
    },
  };
}

function toReply(maker: SiliconMaker): { makerId: string; name: string; spki: string; createdAt: string } {
  return {
    makerId: maker.makerId,
    name: maker.name,
    spki: Buffer.from(maker.spki).toString('base64'),
    createdAt: toTime(maker.createdAt),
  };
}

function fromBase64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'));
}
