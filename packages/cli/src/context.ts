import type { CommandContext } from '@stricli/core';
import { ROUTES, type Client, type DeviceGroup, type Page, type Product, type Tenant } from '@sevenfold/api';
import { CliError } from './errors.ts';
import { printableJson } from './printable.ts';
import { connect, defaultProfileFolder, type Connection } from './profile.ts';

/** What every command is handed. */
export interface CliContext extends CommandContext {
  readonly process: NodeJS.Process;
}

/** Flags that commands which talk to a service share. */
export interface ServiceFlags {
  readonly profile?: string;
  readonly json: boolean;
}
export interface TenantFlags extends ServiceFlags {
  readonly tenant?: string;
}

const text = (value: string): string => value;

/** Declares `--profile` and `--json`. */
export const serviceFlags = {
  profile: {
    kind: 'parsed',
    parse: text,
    optional: true,
    brief: 'Folder of the profile to use',
    placeholder: 'DIR',
  },
  json: { kind: 'boolean', default: false, withNegated: false, brief: 'Print JSON' },
} as const;

/** Declares `--tenant` as well. */
export const tenantFlags = {
  ...serviceFlags,
  tenant: {
    kind: 'parsed',
    parse: text,
    optional: true,
    brief: 'Tenant, by name or id',
    placeholder: 'TENANT',
  },
} as const;

/** A flag that takes a text. */
export function textFlag(
  brief: string,
  placeholder: string,
): {
  readonly kind: 'parsed';
  readonly parse: (value: string) => string;
  readonly brief: string;
  readonly placeholder: string;
} {
  return { kind: 'parsed', parse: text, brief, placeholder };
}

/** One positional text. */
export function positionals<
  const Names extends readonly { readonly brief: string; readonly placeholder: string }[],
>(
  ...names: Names
): {
  kind: 'tuple';
  parameters: {
    [Index in keyof Names]: { parse: (value: string) => string; brief: string; placeholder: string };
  };
} {
  return {
    kind: 'tuple',
    // Mapping a tuple yields a tuple of the same length; the compiler sees an array.
    parameters: names.map((name) => ({ parse: text, ...name })) as never,
  };
}

async function answer<Reply>(
  context: CliContext,
  flags: ServiceFlags,
  work: (connection: Connection) => Promise<Reply>,
  format: (reply: Reply) => string,
): Promise<void> {
  using connection = await connect(flags.profile ?? defaultProfileFolder(context.process.env));
  const reply = await work(connection);
  context.process.stdout.write(flags.json ? `${printableJson(reply)}\n` : format(reply));
}

/** The action of a command that talks to the service and prints what `work` answers: as JSON, or as text. */
export function atService<Flags, Args extends readonly unknown[], Reply>(
  work: (client: Client, flags: Flags, ...args: Args) => Promise<Reply>,
  format: (reply: Reply) => string,
): (this: CliContext, flags: ServiceFlags & Flags, ...args: Args) => Promise<void> {
  return function (flags, ...args) {
    return answer(this, flags, ({ client }) => work(client, flags, ...args), format);
  };
}

/** As `atService`, for a command inside one tenant: the one that is named, the profile's, or the only one. */
export function inTenant<Flags, Args extends readonly unknown[], Reply>(
  work: (client: Client, tenantId: string, flags: Flags, ...args: Args) => Promise<Reply>,
  format: (reply: Reply) => string,
): (this: CliContext, flags: TenantFlags & Flags, ...args: Args) => Promise<void> {
  return function (flags, ...args) {
    const insideTenant = async ({ client, profile }: Connection): Promise<Reply> => {
      const tenantId = await findTenant(client, flags.tenant ?? profile.tenantId);
      return work(client, tenantId, flags, ...args);
    };
    return answer(this, flags, insideTenant, format);
  };
}

/** Every item of a list route, page by page. */
export async function allItems<Item>(
  read: (page: Page) => Promise<{ readonly items: readonly Item[]; readonly next: string | null }>,
): Promise<readonly Item[]> {
  const items: Item[] = [];
  let after: string | null = null;
  do {
    const page: { readonly items: readonly Item[]; readonly next: string | null } = await read(
      after === null ? { limit: 500 } : { limit: 500, after },
    );
    items.push(...page.items);
    after = page.next;
  } while (after !== null);
  return items;
}

function pick<Item>(
  items: readonly Item[],
  kind: string,
  wanted: string,
  idOf: (item: Item) => string,
  nameOf: (item: Item) => string,
): Item {
  const exact = items.find((item) => idOf(item) === wanted.toLowerCase());
  if (exact) return exact;
  const named = items.filter((item) => nameOf(item).toLowerCase() === wanted.toLowerCase());
  if (named.length > 1)
    throw new CliError('Ambiguous', `More than one ${kind} is called “${wanted}”; name its id.`);
  const [only] = named;
  if (only === undefined) throw new CliError('NotFound', `There is no ${kind} “${wanted}”.`);
  return only;
}

async function findTenant(client: Client, wanted: string | null): Promise<string> {
  const tenants = await allItems<Tenant>((query) => client.call(ROUTES.tenants, { query }));
  if (wanted !== null) {
    return pick(
      tenants,
      'tenant',
      wanted,
      (tenant) => tenant.tenantId,
      (tenant) => tenant.name,
    ).tenantId;
  }
  const [only, ...others] = tenants;
  if (only === undefined)
    throw new CliError('NotFound', 'There is no tenant yet: `sevenfold tenant create NAME`.');
  if (others.length > 0)
    throw new CliError('Ambiguous', 'There is more than one tenant: say which with --tenant.');
  return only.tenantId;
}

/** A product by name or id. */
export async function findProduct(client: Client, tenantId: string, wanted: string): Promise<Product> {
  const products = await allItems<Product>((query) =>
    client.call(ROUTES.products, { params: { tenantId }, query }),
  );
  return pick(
    products,
    'product',
    wanted,
    (product) => product.productId,
    (product) => product.name,
  );
}

/** A device group by id, by name, or as `Product/Group` where the name is not unique. */
export async function findDeviceGroup(
  client: Client,
  tenantId: string,
  wanted: string,
): Promise<DeviceGroup> {
  const groups = await allItems<DeviceGroup>((query) =>
    client.call(ROUTES.deviceGroups, { params: { tenantId }, query }),
  );
  const [product, name] = wanted.includes('/') ? wanted.split('/', 2) : [null, wanted];
  if (!product)
    return pick(
      groups,
      'device group',
      wanted,
      (group) => group.deviceGroupId,
      (group) => group.name,
    );
  const { productId } = await findProduct(client, tenantId, product);
  const inside = groups.filter((group) => group.productId === productId);
  return pick(
    inside,
    'device group',
    name ?? '',
    (group) => group.deviceGroupId,
    (group) => group.name,
  );
}
