/** Calls all, one after the other, even if one fails; throws the first failure at the end. */
export async function endAll(ends: readonly (() => unknown)[]): Promise<void> {
  const failed: unknown[] = [];
  for (const end of ends)
    try {
      await end();
    } catch (error) {
      failed.push(error);
    }
  if (failed.length > 0) throw failed[0];
}
