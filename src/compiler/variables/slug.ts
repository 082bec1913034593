import { sha256 } from '../../utils/sha256.ts';

/**
 * GitLab's `Utils.slugify`: lower case, dashes for everything but a-z and 0-9, 63 characters, no dash at
 * either end.
 */
export const slugify = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9]/g, '-')
    .slice(0, 63)
    .replace(/^-+|-+$/g, '');

/**
 * GitLab's environment slug: at most 24 characters, a letter first, and a hash suffix if the name was
 * changed.
 */
export function environmentSlug(name: string): string {
  let slug = name.toLowerCase().replace(/[^a-z0-9]/g, '-');
  if (!/^[a-z]/.test(slug)) slug = `env-${slug}`;
  slug = slug.replace(/-+/g, '-');
  if (slug.length <= 24 && slug === name) return slug.replace(/-$/, '');
  const suffix = BigInt(`0x${sha256(name)}`)
    .toString(36)
    .slice(-6);
  const head = slug.slice(0, 17);
  return `${head}${head.endsWith('-') ? '' : '-'}${suffix}`;
}
