import { toHex, type SystemImageTypeName } from '@sevenfold/formats';

import type { ReferenceValue } from '../deployments/os-releases.ts';
import type { ChipState, MeasuredComponent, UnprovenEvidence } from './evidence.ts';
import { judge, type Finding, type FindingKind, type JudgedClaim, type Verdict } from './policy.ts';

/** The release that is current for the device; digests in hex. */
interface CurrentRelease {
  readonly name: string;
  readonly images: readonly {
    readonly imageType: string;
    readonly digest: string;
    readonly securityVersion: number;
  }[];
}

/** Everything that the appraisal compares the evidence with; looked up before, so that judging is a pure function. */
export interface References {
  /** By hex digest; null for an image that was never published. */
  readonly byDigest: ReadonlyMap<string, ReferenceValue | null>;
  readonly current: CurrentRelease | null;
  /** By hex digest: until when (ms) an image that is not current any more is accepted; absent: no end is set. */
  readonly acceptedUntil: ReadonlyMap<string, number>;
  /** Ms since 1970. */
  readonly now: number;
  /** For people: `Retail on chip SKU 1`. */
  readonly feed: string;
}

/** How one measured component compared. */
export interface AppraisedComponent extends MeasuredComponent {
  readonly releases: readonly string[];
  readonly status: 'current' | 'accepted' | 'outdated' | 'revoked' | 'unknown';
  /** Until when an image is or was accepted that is not current; ms since 1970, null where no end is set. */
  readonly acceptedUntil: number | null;
}

/** The outcome: verdict, reasons in words, and what each component compared to. */
export interface Appraisal {
  readonly verdict: Verdict;
  readonly reasons: readonly string[];
  readonly claims: readonly JudgedClaim[];
  readonly components: readonly AppraisedComponent[];
  /** The release that the device runs, where all its components are of one. */
  readonly release: string | null;
  /** The release it must reach before it is trusted; null for a trusted device, or where none is published. */
  readonly requiredRelease: string | null;
}

/** The stages that run code: no device is judged that leaves one out. */
const REQUIRED_STAGES = [
  'PlutonRuntime',
  'SecurityMonitor',
  'NormalWorldKernel',
  'Services',
] as const satisfies readonly SystemImageTypeName[];

/** Judges a genuine device's measurements by the reference values of what was published. */
export function appraise(
  evidence: Pick<UnprovenEvidence, 'lifecycle' | 'components'>,
  references: References,
): Appraisal {
  const stages = evidence.components.filter(
    (component) => component.imageType !== 'Applications' && !isCapability(component),
  );
  const components = stages.map((component) => appraiseComponent(component, references));
  const findings = [
    ...lifecycleFindings(evidence),
    ...evidence.components.filter(isCapability).flatMap(capabilityFindings),
    ...coverageFindings(stages),
    ...components.flatMap((component) => componentFindings(component, references)),
    ...releaseFindings(components, references),
  ];
  const { verdict, reasons, claims } = judge(findings);
  return {
    verdict,
    reasons,
    claims,
    components,
    release: commonRelease(components),
    requiredRelease: verdict === 'trusted' ? null : (references.current?.name ?? null),
  };
}

function appraiseComponent(component: MeasuredComponent, references: References): AppraisedComponent {
  const digest = toHex(component.digest);
  const reference = references.byDigest.get(digest) ?? null;
  const base = { ...component, releases: reference?.releases ?? [], acceptedUntil: null };
  // An image that was uploaded but is in no release is nothing that anybody has vouched for.
  if (reference === null || reference.releases.length === 0 || reference.imageType !== component.imageType) {
    return { ...base, status: 'unknown' };
  }
  if (contradictions(component, reference).length > 0) return { ...base, status: 'unknown' };
  if (reference.revoked) return { ...base, status: 'revoked' };
  if (references.current?.images.some((image) => image.digest === digest)) {
    return { ...base, status: 'current' };
  }
  const least = leastVersion(component.imageType, references);
  if (reference.securityVersion < least) return { ...base, status: 'outdated' };
  const acceptedUntil = references.acceptedUntil.get(digest) ?? null;
  const isOver = acceptedUntil !== null && references.now > acceptedUntil;
  return { ...base, acceptedUntil, status: isOver ? 'outdated' : 'accepted' };
}

/**
 * What evidence says of an image beside its digest and is not so: the image that has this digest says otherwise, so
 * whoever measured it does not tell the truth. A format that names no security version is not held to a name, either.
 */
function contradictions(
  { name, securityVersion, signerId }: MeasuredComponent,
  reference: ReferenceValue,
): readonly string[] {
  const isOurForm = securityVersion !== null;
  return [
    ...(isOurForm && name !== reference.name ? [`its name is "${reference.name}"`] : []),
    ...(isOurForm && securityVersion !== reference.securityVersion
      ? [`its security version is ${reference.securityVersion}, not ${securityVersion}`]
      : []),
    ...(reference.signerId !== null && toHex(signerId) !== reference.signerId
      ? ['another key has signed it']
      : []),
  ];
}

/** No stage may be older, in security, than that of the release in force. */
function leastVersion(imageType: string, references: References): number {
  return references.current?.images.find((image) => image.imageType === imageType)?.securityVersion ?? 0;
}

/** Which finding each state of a chip is; a secured one is none. */
const FINDING_OF_STATE: Readonly<Record<Exclude<ChipState, 'secured'>, FindingKind>> = {
  debug: 'ChipOpenForDebugging',
  manufacturing: 'ChipInManufacturing',
  decommissioned: 'ChipDecommissioned',
  unknown: 'ChipStateUnknown',
};

function lifecycleFindings(evidence: Pick<UnprovenEvidence, 'lifecycle'>): readonly Finding[] {
  const { state, text } = evidence.lifecycle;
  return state === 'secured' ? [] : [{ kind: FINDING_OF_STATE[state], subject: 'lifecycle', detail: text }];
}

/**
 * A capability file that is in force is measured like an image (docs/attestation.md): of this type, under a name that
 * says what the device is unlocked for. It is no code, so nothing published can vouch for it.
 */
const CAPABILITY = { imageType: 'Policy', name: 'capability ' } as const;
const FINDING_OF_CAPABILITY = new Map<string, FindingKind>([
  ['appDevelopment', 'UnlockedForDevelopment'],
  ['fieldServicing', 'UnlockedForServicing'],
]);

function isCapability({ imageType, name }: MeasuredComponent): boolean {
  return imageType === CAPABILITY.imageType && name.startsWith(CAPABILITY.name);
}

function capabilityFindings({ name }: MeasuredComponent): readonly Finding[] {
  return name
    .slice(CAPABILITY.name.length)
    .split(' ')
    .map((word) => ({
      kind: FINDING_OF_CAPABILITY.get(word) ?? 'UnlockedForUnknown',
      subject: 'capability',
      detail: word,
    }));
}

function coverageFindings(stages: readonly MeasuredComponent[]): readonly Finding[] {
  const digestsOf = (type: string): ReadonlySet<string> =>
    new Set(stages.filter((stage) => stage.imageType === type).map((stage) => toHex(stage.digest)));
  const missing = REQUIRED_STAGES.filter((type) => digestsOf(type).size === 0);
  // The same image may be measured again; two different ones cannot both be what runs.
  const twice = REQUIRED_STAGES.filter((type) => digestsOf(type).size > 1);
  return [
    ...missing.map((subject): Finding => ({ kind: 'MeasurementMissing', subject, detail: '' })),
    ...twice.map((subject): Finding => ({ kind: 'MeasuredTwice', subject, detail: '' })),
  ];
}

function componentFindings(component: AppraisedComponent, references: References): readonly Finding[] {
  const digest = toHex(component.digest);
  const subject = `${component.imageType} "${component.name}" (${digest.slice(0, 8)}…)`;
  switch (component.status) {
    case 'unknown': {
      const published = references.byDigest.get(digest) ?? null;
      if (published === null || published.releases.length === 0)
        return [{ kind: 'ImageUnknown', subject, detail: '' }];
      return published.imageType === component.imageType
        ? [{ kind: 'ImageContradicted', subject, detail: contradictions(component, published).join('; ') }]
        : [{ kind: 'WrongImageType', subject, detail: published.imageType }];
    }
    case 'revoked':
      return [{ kind: 'ReleaseRevoked', subject, detail: component.releases.join(', ') }];
    case 'outdated': {
      if (component.acceptedUntil !== null) {
        return [{ kind: 'AcceptedNoLonger', subject, detail: dayOf(component.acceptedUntil) }];
      }
      const least = leastVersion(component.imageType, references);
      const version = references.byDigest.get(digest)?.securityVersion ?? 0;
      return [
        { kind: 'SecurityVersionTooLow', subject, detail: `security version ${version}, at least ${least}` },
      ];
    }
    case 'accepted':
    case 'current':
      return [];
    default:
      return component.status satisfies never;
  }
}

function releaseFindings(
  components: readonly AppraisedComponent[],
  references: References,
): readonly Finding[] {
  const { current } = references;
  if (current === null) return [{ kind: 'NoRelease', subject: 'release', detail: references.feed }];
  const statuses = components.map((component) => component.status);
  if (statuses.length > 0 && statuses.every((status) => status === 'current')) {
    return [{ kind: 'Current', subject: 'release', detail: current.name }];
  }
  if (!statuses.every((status) => status === 'current' || status === 'accepted')) return [];
  const ends = components.flatMap(({ acceptedUntil }) => (acceptedUntil === null ? [] : [acceptedUntil]));
  return ends.length === 0
    ? [{ kind: 'NewerRelease', subject: 'release', detail: current.name }]
    : [{ kind: 'AcceptedUntil', subject: `release ${current.name}`, detail: dayOf(Math.min(...ends)) }];
}

/** A moment for people: `2026-11-30 12:00 UTC`. */
function dayOf(milliseconds: number): string {
  return `${new Date(milliseconds).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

function commonRelease(components: readonly AppraisedComponent[]): string | null {
  const [first, ...others] = components;
  return first?.releases.find((name) => others.every((other) => other.releases.includes(name))) ?? null;
}
