/** Protocols of the addresses that the operator wrote, beside the default ones. */
import { DEFAULT_PROTOCOLS, type GitProtocol } from './validate.ts';

export function cloneProtocols(projects: readonly { clone_url?: string | undefined }[]): GitProtocol[] {
  const own = projects.flatMap((project): GitProtocol[] => {
    if (project.clone_url?.startsWith('http://')) return ['http'];
    if (project.clone_url?.startsWith('file://')) return ['file'];
    return [];
  });
  return [...new Set([...DEFAULT_PROTOCOLS, ...own])];
}
