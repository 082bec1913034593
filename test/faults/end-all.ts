/** Every one is called, one after the other, whatever another says; the first failure is thrown at the end. */
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
