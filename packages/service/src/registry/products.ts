import { guidFromRandom } from '@sevenfold/formats';
import type { ServiceContext } from '../service-context.ts';
import { ServiceError } from '../service-error.ts';
import { rowsToFetch, toPage } from '../store/paging.ts';
import { insertProduct, selectProductByName, selectProducts, type ProductRow } from './queries.ts';
import { getTenant, nameKeyOf, type PageRequest } from './tenants.ts';

/** A model of connected device. `createdAt` in ms since 1970. */
export type Product = Omit<ProductRow, 'nameKey'>;

/** Makes a product. `AlreadyExists` for a name that the tenant has already, `NotFound` without the tenant. */
export async function createProduct(
  context: Pick<ServiceContext, 'store' | 'clock' | 'entropy'>,
  tenantId: string,
  product: { readonly name: string; readonly description?: string | undefined },
): Promise<Product> {
  await getTenant(context, tenantId);
  const row: ProductRow = {
    productId: guidFromRandom(context.entropy.random(16)),
    tenantId,
    name: product.name,
    nameKey: nameKeyOf(product.name),
    description: product.description ?? '',
    createdAt: context.clock.now(),
  };
  await context.store.write(async (tx) => {
    if ((await selectProductByName(tx, tenantId, row.nameKey)) !== undefined) {
      throw new ServiceError('AlreadyExists', `There is a product "${product.name}" already.`, {
        field: 'name',
        rule: 'unique in the tenant, without regard to case',
      });
    }
    await insertProduct(tx, row);
  });
  return toProduct(row);
}

/** Products of a tenant, by id. */
export async function listProducts(
  { store }: Pick<ServiceContext, 'store'>,
  tenantId: string,
  page: PageRequest,
): Promise<{ items: Product[]; next: string | null }> {
  const rows = await selectProducts(store.read, tenantId, { after: page.after, limit: rowsToFetch(page) });
  return toPage(rows, page, (row) => row.productId, toProduct);
}

function toProduct({ productId, tenantId, name, description, createdAt }: ProductRow): Product {
  return { productId, tenantId, name, description, createdAt };
}
