import { utf8Encode } from '@sevenfold/formats';

import { toTime, type Handlers } from '../http/handlers.ts';
import type { ServiceContext } from '../service-context.ts';
import { importBatch } from './import-batch.ts';
import { importChains, listRoots, registerRoot, type MakerRoot } from './import-chains.ts';
import { listSiliconMakers, registerSiliconMaker, type SiliconMaker } from './silicon-makers.ts';

type ManufacturingHandlers = Pick<
  Handlers,
  | 'siliconMakers'
  | 'createSiliconMaker'
  | 'siliconRoots'
  | 'createSiliconRoot'
  | 'importEndorsements'
  | 'importEndorsementChains'
>;

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
        lines: body.format === 'cbor' ? fromBase64(body.batch) : utf8Encode(body.batch),
        signature: fromBase64(body.signature),
        ...(body.format === undefined ? {} : { format: body.format }),
      });
      return { imported, known };
    },
    siliconRoots: async ({ params }) => ({
      items: (await listRoots(context, params.makerId)).map(toRootReply),
    }),
    createSiliconRoot: async ({ params, body }) =>
      toRootReply(
        await registerRoot(context, {
          makerId: params.makerId,
          der: fromBase64(body.certificate),
          chipSku: body.chipSku,
        }),
      ),
    async importEndorsementChains({ body }) {
      const chains = body.chains.map((chain) => chain.map(fromBase64));
      const { imported, known } = await importChains(context, { makerId: body.makerId, chains });
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

function toRootReply(root: MakerRoot): Omit<MakerRoot, 'createdAt'> & { createdAt: string } {
  return { ...root, createdAt: toTime(root.createdAt) };
}

function fromBase64(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'base64'));
}
