import { fromHex, type DerReader } from '@sevenfold/formats';

import { PkiError } from './errors.ts';
import { readGeneralName, type GeneralName } from './general-names.ts';
import { OID } from './oids.ts';

/** Name constraints of an authority (RFC 5280 §4.2.1.10): which names the certificates below it may have. */
export interface NameConstraints {
  readonly permitted: readonly GeneralName[];
  readonly excluded: readonly GeneralName[];
}

/** Subtrees in one certificate; every name below is compared with every one of them. */
const MAX_SUBTREES = 64;

/** Reads the extension's value. */
export function readNameConstraints(reader: DerReader): NameConstraints {
  return reader.sequence((fields) => {
    const permitted = fields.optionalExplicit(0, readSubtrees);
    const excluded = fields.optionalExplicit(1, readSubtrees);
    if (permitted === null && excluded === null)
      throw badConstraints('there are no subtrees', 'RFC 5280 §4.2.1.10: not an empty sequence');
    return { permitted: permitted ?? [], excluded: excluded ?? [] };
  });
}

function readSubtrees(reader: DerReader): readonly GeneralName[] {
  const subtrees: GeneralName[] = [];
  do {
    // RFC 5280 §4.2.1.10: minimum is 0 and so left out, maximum absent; whatever else stands there is left over.
    const base = reader.sequence((subtree) => readGeneralName(subtree, OID.nameConstraints, 'subtree'));
    if (base.kind === 'ip') checkMask(fromHex(base.value));
    subtrees.push(base);
    if (subtrees.length > MAX_SUBTREES)
      throw badConstraints('there are too many subtrees', `at most ${MAX_SUBTREES}`);
  } while (!reader.done);
  return subtrees;
}

/** RFC 4632 §3.1: a mask is a prefix. */
function checkMask(subtree: Uint8Array): void {
  const bits = [...subtree.subarray(subtree.length / 2)].map((octet) => octet.toString(2).padStart(8, '0'));
  if (!/^1*0*$/u.test(bits.join('')))
    throw badConstraints('the mask of an address is no prefix', 'RFC 5280 §4.2.1.10, RFC 4632 §3.1');
}

function badConstraints(message: string, rule: string): PkiError {
  return new PkiError('BadExtension', message, { field: OID.nameConstraints, rule });
}
