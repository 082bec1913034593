import { readFileSync } from 'node:fs';

/**
 * Resident memory of a process in MB; undefined if the system does not provide it, or the process has ended.
 */
export function residentMb(pid: number): number | undefined {
  try {
    const found = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return found ? Number(found[1]) / 1_024 : undefined;
  } catch {
    return undefined; // no such process, or no /proc on this system
  }
}
