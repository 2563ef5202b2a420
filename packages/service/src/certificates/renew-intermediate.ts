import type { ServiceContext } from '../service-context.ts';
import type { Authority, CertificateAuthorities } from './authorities.ts';
import { NEXT_BEFORE_END_MS } from './life-cycle.ts';

const YEAR_MS = 366 * 24 * 3_600_000;
/** A tenant's CA lives for two years and must not be cut short by what stands above it: the next one comes before. */
export const RENEWED_BEFORE_END_MS = 2 * YEAR_MS + NEXT_BEFORE_END_MS;
/** A new intermediate ends with its root at the latest: for less than this it is not worth one. */
const LEAST_GAIN_MS = YEAR_MS;
const LIFE_MS = 10 * YEAR_MS;

/** An authority above the tenants' comes to its end, and a person has to do something about it. */
export interface EndingAuthority {
  readonly serial: string;
  /** Ms since 1970. */
  readonly endsAt: number;
  readonly remedy: string;
}

/**
 * Puts a new intermediate in place of the one that issues, in time, where the root's key is here. What the former has
 * certified goes on to count, and who registered a tenant's CA notices nothing. Answers what a person has to do where
 * the root is elsewhere, or at its own end; null where there is nothing to do. To be called now and then.
 */
export async function renewIntermediate(
  context: Pick<ServiceContext, 'clock' | 'keys'> & { readonly authorities: CertificateAuthorities },
): Promise<EndingAuthority | null> {
  const { authorities, clock, keys } = context;
  const intermediate = await authorities.issuing('intermediate', null);
  const now = clock.now();
  if (intermediate.notAfter - now > RENEWED_BEFORE_END_MS) return null;
  const root = await authorities.issuing('root', null);
  if (Math.min(now + LIFE_MS, root.notAfter) - intermediate.notAfter < LEAST_GAIN_MS)
    return ending(
      root,
      'make a root in a new data folder and let devices take its cert store (docs/certificates.md)',
    );
  if ((await keys.public(root.keyName)) === null)
    return ending(
      intermediate,
      'ask the root: `sevenfold pki init --offline-root`, `pki sign`, `pki import`',
    );
  await authorities.replaceIntermediate(intermediate.certificate.serial, false);
  return null;
}

function ending({ certificate, notAfter }: Authority, remedy: string): EndingAuthority {
  return { serial: certificate.serial, endsAt: notAfter, remedy };
}
